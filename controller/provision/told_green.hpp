// Where a green is that a program of the operator made: what the program printed, put together with what the playbook
// says, and noted on blue so that it is not asked again. No password is kept: it comes from a passfile or a service
// file, as everywhere. One thread.
#pragma once

#include <optional>
#include <string>

#include "controller/playbook.hpp"
#include "replication/connection.hpp"

namespace verdigris {

// asked: the program was begun, and what it made is not known. dropping: abandon --drop-green has begun to drop it.
enum class ToldState { asked, made, dropping };

struct ToldGreen {
  ToldState state = ToldState::asked;
  Conninfo conninfo = {};  // as it was printed; empty while it is not known
};

// Blue's note; nothing if there is none. Throws Refused "schema.foreign" as has_control_schema() does.
std::optional<ToldGreen> told_green(Connection& blue, const std::string& deployment, Deadline deadline);
// Blue must have the schema verdigris.
void note_told_green(Connection& blue, const std::string& deployment, const ToldGreen& green, Deadline deadline);

// The last line of what was printed. had_secret: a password stood in it, and is left out. Throws Error
// "provision.command-answer" that quotes nothing of it.
Conninfo conninfo_printed(const std::string& output, bool& had_secret);

// Completes how green is reached, by us and by blue: what the playbook says wins, since a person wrote it. Throws Error
// "provision.command-answer" if something is missing then, or may not stand there.
void lead_to_told_green(Playbook& playbook, const Conninfo& told);
// Of a fresh answer: it must not lead elsewhere than the playbook says. Throws Refused "provision.elsewhere".
void require_same_place(const Playbook& playbook, const Conninfo& told);

}  // namespace verdigris
