#include "controller/commands/set.hpp"

#include <charconv>

#include "controller/config.hpp"
#include "controller/copy_watch.hpp"
#include "controller/deployment.hpp"
#include "controller/exit_codes.hpp"
#include "controller/lease.hpp"
#include "controller/suggestion.hpp"
#include "replication/control_schema.hpp"

namespace verdigris {
namespace {

constexpr const char* kCopyWorkersKey = "copy-workers";

// The only one there is so far.
int read_copy_workers(const std::string& setting) {
  const auto at = setting.find('=');
  const std::string key = setting.substr(0, at), value = at == std::string::npos ? "" : setting.substr(at + 1);
  if (key != kCopyWorkersKey)
    throw misuse("set.unknown", "\"" + key + "\" cannot be set" + suggestion(key, {kCopyWorkersKey}),
                 "What can be set while a command runs: copy-workers=N.");
  int number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size() || number < 1 || number > kMostCopyWorkers)
    throw misuse("set.value", "copy-workers: \"" + value + "\" is not a number from 1 to " + std::to_string(kMostCopyWorkers),
                 "For example: verdigris set copy-workers=4");
  return number;
}

}  // namespace

int run_set(const Invocation& invocation, Output& output) {
  const int workers = read_copy_workers(invocation.setting);
  Deployment d(load_playbook(invocation.playbook), [](const std::string&) {});
  const auto deadline = Deadline::after(invocation.timeout.value_or(std::chrono::milliseconds(30'000)));
  const auto errors = d.connect_what_answers(deadline);
  d.journal().load(deadline);
  const auto standing = d.standing();
  Server& green = d.green();
  if (!green.is_connected()) throw Error("cannot-connect", errors.front(), "Start it, or correct clusters in the playbook.");
  const bool is_known = has_control_schema(green.control(), deadline);
  const auto note = is_known ? noted_copy(green, deadline) : std::nullopt;
  if (!note || !standing.open || standing.open->command != "prepare" || !lease_holder(green.control(), d.name(), deadline))
    throw Refused("set.nothing", "nothing is copied at the moment, so there are no copy workers to set",
                  "It can be set while verdigris prepare copies; replication.copy.workers of the playbook is where it begins.");
  ask_for_copy_workers(green, workers, deadline);
  output.document({{"result", "done"}, {"copy_workers", workers}, {"before", note->value("workers", 0)}});
  output.result("copy-workers=" + std::to_string(workers) + ": heeded within two seconds; fewer means that each ends its table first");
  return kDone;
}

}  // namespace verdigris
