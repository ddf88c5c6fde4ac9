// Proof that a running process reads the included file that a switch will change: a database of no meaning is put into
// it, seen in the process, taken out, and gone (operator.md 8.2.3). That ties console, process and file together, and
// shows that nothing above the include keeps PgBouncer from reading it. A RELOAD with one more database disturbs nobody.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "controller/pgbouncer_console.hpp"

namespace verdigris {

// included defines alias. Throws Refused "pooler.include-unread"; Error "pooler.file" where the file cannot be replaced.
// In any case the file is left without probe, also without that of a run that was killed. name is how messages call the
// process.
void require_included_file_read(PgBouncerConsole& console, const std::string& name, const std::filesystem::path& included,
                                const std::string& alias, Deadline deadline);

// A name for a database that comes and goes.
std::string new_probe();
// Puts lines of [databases], whose names new_probe() made, before that of alias, has the file read, runs act with what
// RELOAD complained of, and takes them out again, whatever happens. Throws as act, and Error "pooler.file".
void with_lines_read(PgBouncerConsole& console, const std::filesystem::path& included, const std::string& alias,
                     const std::string& lines, Deadline deadline, const std::function<void(const std::string&)>& act);

// Takes out what one that was killed has left; if there is anything, has the file read then, as far as the process answers.
// A trial's lines lead past passwords. Throws Error "pooler.file".
void clear_probes(const std::filesystem::path& included, const std::function<PgBouncerConsole&()>& console);

}  // namespace verdigris
