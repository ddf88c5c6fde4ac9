// Reads a playbook strictly: nothing is accepted and then ignored. All that is wrong is found in one go and thrown as
// one PlaybookErrors (exit code 2). Asks no server; reads the file and looks at passfiles that it names. Any thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <string_view>

#include "controller/playbook.hpp"
#include "controller/playbook_errors.hpp"

namespace verdigris {

using WallTime = std::chrono::system_clock::time_point;

// `now` decides whether a waiver has run out.
Playbook load_playbook(const std::filesystem::path& file, WallTime now = std::chrono::system_clock::now());

// The same for text that was read already; `file` names it in messages, and relative paths start beside it.
Playbook decode_playbook(std::string_view text, const std::filesystem::path& file, WallTime now);

}  // namespace verdigris
