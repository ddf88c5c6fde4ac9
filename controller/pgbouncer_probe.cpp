#include "controller/pgbouncer_probe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <thread>

#include "controller/ini_adoption.hpp"
#include "controller/staged_file.hpp"
#include "replication/errors.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

// A database that left the file is removed by the process' own round of maintenance, three times a second.
constexpr std::chrono::milliseconds kProbePatience{3'000};
constexpr std::chrono::milliseconds kProbePoll{10};

void put(StagedFile& file, const std::string& bytes) {
  file.stage(file.read(), bytes);
  file.move_into_place();
}

bool is_known(PgBouncerConsole& console, const std::string& alias, Deadline deadline) {
  return std::ranges::any_of(console.databases(deadline), [&](const auto& each) { return each.alias == alias; });
}

// What RELOAD answers says nothing (faults B9).
std::string reload(PgBouncerConsole& console, Deadline deadline) {
  try {
    console.reload(deadline);
    return {};
  } catch (const ServerError& error) {
    return std::string(": ") + error.what();
  }
}

// The console may be what failed.
void reload_if_possible(const std::function<PgBouncerConsole&()>& console) {
  try {
    reload(console(), Deadline::after(kProbePatience));
  } catch (const Error&) {
    // the next RELOAD reads the file as it is
  }
}

void take_out(StagedFile& file, const std::string& without) {
  put(file, without);
  file.discard();
  file.remove_backup();  // it holds the lines
}

bool wait_gone(PgBouncerConsole& console, const std::string& alias, Deadline deadline) {
  const Deadline patience = Deadline::after(kProbePatience).or_earlier(deadline);
  while (is_known(console, alias, deadline)) {
    if (patience.has_passed()) return false;
    std::this_thread::sleep_for(kProbePoll);
  }
  return true;
}

[[noreturn]] void refuse(const std::string& name, const std::filesystem::path& included, const std::string& why) {
  throw Refused("pooler.include-unread", "pooler " + name + ": the running process does not read " + included.string() + ": " + why,
                "See the log of PgBouncer: its user must be able to read the file, and nothing above the %include may be broken.");
}

}  // namespace

std::string new_probe() {
  std::random_device random;
  return fmt::format("{}{:08x}", kProbePrefix, random());
}

void with_lines_read(PgBouncerConsole& console, const std::filesystem::path& included, const std::string& alias,
                     const std::string& lines, Deadline deadline, const std::function<void(const std::string&)>& act) {
  StagedFile file(included);
  const std::string without = without_probes(file.read());
  put(file, with_lines(without, alias, lines));
  crash_point("after:pooler-probe");
  try {
    act(reload(console, deadline));
  } catch (...) {
    take_out(file, without);
    reload_if_possible([&]() -> PgBouncerConsole& { return console; });
    throw;
  }
  take_out(file, without);
  reload(console, deadline);
}

void clear_probes(const std::filesystem::path& included, const std::function<PgBouncerConsole&()>& console) {
  std::error_code error;
  if (included.empty() || !std::filesystem::exists(included, error)) return;
  StagedFile file(included);
  const std::string text = file.read(), without = without_probes(text);
  if (text == without) return;
  take_out(file, without);
  reload_if_possible(console);
}

void require_included_file_read(PgBouncerConsole& console, const std::string& name, const std::filesystem::path& included,
                                const std::string& alias, Deadline deadline) {
  const std::string probe = new_probe();
  bool is_seen = false;
  std::string answer;
  with_lines_read(console, included, alias, probe + " = host=127.0.0.1 port=1 dbname=" + probe + "\n", deadline,
                  [&](const std::string& complaint) {
                    answer = complaint;
                    is_seen = is_known(console, probe, deadline);
                  });
  if (!is_seen) refuse(name, included, "a database that was added there is unknown to it after RELOAD" + answer);
  if (!wait_gone(console, probe, deadline)) refuse(name, included, "a database that was taken out of it is still known after RELOAD");
}

}  // namespace verdigris
