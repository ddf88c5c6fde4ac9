// Files that must be ours alone before we believe them: the playbook and the passfiles it names.
#pragma once

#include <filesystem>
#include <string>

namespace verdigris {

// The bytes of the playbook. Throws Error (usage) "playbook-file" with path, kind and mode: missing, not a regular
// file, unreadable, writable by group or others, owned by somebody else (root may read everyone's), larger than 1 MiB.
std::string read_playbook_file(const std::filesystem::path& file);

// libpq silently skips a passfile that others may read; the owner and a missing file are ours to see. Throws Error
// (usage) "passfile".
void check_passfile(const std::filesystem::path& file);

}  // namespace verdigris
