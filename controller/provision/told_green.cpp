#include "controller/provision/told_green.hpp"

#include <array>
#include <sstream>

#include "controller/config_conninfo.hpp"
#include "controller/journal.hpp"
#include "replication/control_schema.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr const char* kToldKey = "provision:green";
constexpr std::array<const char*, 3> kToldStates{"asked", "made", "dropping"};
constexpr const char* kByHand = "Run it by hand as this user: the last line must be a connection string, e.g. "
                                "\"host=db2 port=5432 dbname=orders user=verdigris\"; it is not shown here, since a "
                                "password may stand in it.";

ToldState told_state_of(const std::string& word) {
  for (std::size_t i = 0; i < kToldStates.size(); ++i)
    if (word == kToldStates.at(i)) return static_cast<ToldState>(i);
  throw Error("provision.note", "blue: the note of where green is says \"" + word + "\", which this version does not understand",
              "Use the version of verdigris that wrote it.");
}

Error unusable_answer(const std::string& why) {
  return Error("provision.command-answer", "what provision.argv printed cannot be used: " + why, kByHand);
}

std::string last_line_of(const std::string& output) {
  std::istringstream lines(output);
  std::string last;
  for (std::string line; std::getline(lines, line);)
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
  const auto end = last.find_last_not_of(" \t\r");
  const auto begin = last.find_first_not_of(" \t\r");
  return last.empty() ? last : last.substr(begin, end - begin + 1);
}

// A password that is not escaped breaks a URI in other places: a piece of it becomes the host, the port or the database,
// which are shown and noted. None of the three is quoted here, nor is any other value.
void require_no_pieces_of_a_password(const Conninfo& told) {
  for (const char* key : {"host", "hostaddr", "port", "dbname"})
    if (told.value(key).find('@') != std::string::npos)
      throw unusable_answer("its " + std::string(key) +
                            " has an @ in it, which a password that is not escaped (%40) leaves there");
  if (told.value("port").find_first_not_of("0123456789") != std::string::npos)
    throw unusable_answer("its port is not a number, which a password that is not escaped (%2F) may be the cause of");
}

Conninfo completed(const Conninfo& written, const Conninfo& told) {
  Conninfo result = written;
  for (const auto& [key, value] : told.values())
    if (!result.has(key)) result = result.with(key, value);
  return result;
}

// Who logs in there, and with what, is blue's own affair.
Conninfo completed_for_blue(const Conninfo& written, const Conninfo& told) {
  if (written.has("service")) return written;
  Conninfo result = written;
  for (const char* key : {"host", "hostaddr", "port", "dbname", "sslmode"})
    if (!written.has(key) && told.has(key)) result = result.with(key, told.value(key));
  return result;
}

void require_usable(const Conninfo& conninfo, const std::string& where, const ConninfoRules& rules) {
  std::vector<Error> faults;
  check_conninfo(conninfo, rules, faults);
  if (faults.empty()) return;
  throw Error("provision.command-answer",
              where + ", with what provision.argv printed, cannot be used: " + faults.front().what(),
              faults.front().hint().empty() ? kByHand : faults.front().hint());
}

}  // namespace

std::optional<ToldGreen> told_green(Connection& blue, const std::string& deployment, Deadline deadline) {
  if (!has_control_schema(blue, deadline)) return std::nullopt;
  const auto value = saved_value(blue, deployment, kToldKey, deadline);
  if (!value) return std::nullopt;
  const Json note = Json::parse(*value);
  ToldGreen green{.state = told_state_of(note.value("state", ""))};
  if (const auto text = note.value("conninfo", ""); !text.empty()) green.conninfo = Conninfo::parse(text);
  return green;
}

void note_told_green(Connection& blue, const std::string& deployment, const ToldGreen& green, Deadline deadline) {
  const Json note{{"state", kToldStates.at(static_cast<std::size_t>(green.state))}, {"conninfo", green.conninfo.text()}};
  note_value(blue, deployment, kToldKey, note.dump(), deadline);
}

Conninfo conninfo_printed(const std::string& output, bool& had_secret) {
  const auto line = last_line_of(output);
  if (line.empty()) throw unusable_answer("it printed nothing");
  Conninfo told;
  try {
    told = Conninfo::parse_without_secrets(line, had_secret);
  } catch (const Error& error) {
    throw unusable_answer(error.what());
  }
  require_no_pieces_of_a_password(told);
  return told;
}

void lead_to_told_green(Playbook& playbook, const Conninfo& told) {
  const auto green = completed(playbook.green, told);
  const auto to_green = completed_for_blue(playbook.replication.to_green, told);
  require_usable(green, "clusters.green", {.is_used_here = true, .weakest_tls = playbook.tls});
  require_usable(to_green, "replication.conninfo.to_green", {.is_used_here = false, .weakest_tls = playbook.tls});
  playbook.green = green;
  playbook.replication.to_green = to_green;
}

void require_same_place(const Playbook& playbook, const Conninfo& told) {
  for (const char* key : {"host", "hostaddr", "port"}) {
    const auto written = playbook.green.value(key), printed = told.value(key);
    if (written.empty() || printed.empty() || written == printed) continue;
    throw Refused("provision.elsewhere",
                  "provision.argv made a green with another " + std::string(key) +
                      " than clusters.green says, which is " + written,
                  "Leave it out of clusters.green, or let the program make the green that is named there.");
  }
}

}  // namespace verdigris
