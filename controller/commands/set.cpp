#include "controller/commands/set.hpp"

#include <charconv>

#include "controller/config.hpp"
#include "controller/config_values.hpp"
#include "controller/copy_watch.hpp"
#include "controller/deployment.hpp"
#include "controller/exit_codes.hpp"
#include "controller/lease.hpp"
#include "controller/suggestion.hpp"
#include "replication/control_schema.hpp"

namespace verdigris {
namespace {

constexpr const char* kCopyWorkersKey = "copy-workers";
constexpr const char* kCopyRateKey = "copy-rate";

struct CopySetting {
  std::string key;
  std::int64_t value = 0;
};

std::int64_t read_workers(const std::string& value) {
  int number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size() || number < 1 || number > kMostCopyWorkers)
    throw misuse("set.value", "copy-workers: \"" + value + "\" is not a number from 1 to " + std::to_string(kMostCopyWorkers),
                 "For example: verdigris set copy-workers=4");
  return number;
}

std::int64_t read_rate(const std::string& value) {
  try {
    return parse_rate(value);
  } catch (const Error& error) {
    throw misuse("set.value", std::string("copy-rate: ") + error.what(),
                 "For example: verdigris set copy-rate=20MiB (each second), or copy-rate=none");
  }
}

CopySetting read_setting(const std::string& setting) {
  const auto at = setting.find('=');
  const std::string key = setting.substr(0, at), value = at == std::string::npos ? "" : setting.substr(at + 1);
  if (key == kCopyWorkersKey) return {key, read_workers(value)};
  if (key == kCopyRateKey) return {key, read_rate(value)};
  throw misuse("set.unknown", "\"" + key + "\" cannot be set" + suggestion(key, {kCopyWorkersKey, kCopyRateKey}),
               "What can be set while a command runs: copy-workers=N, copy-rate=SIZE|none (each second).");
}

}  // namespace

int run_set(const Invocation& invocation, Output& output) {
  const auto asked = read_setting(invocation.setting);
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
    throw Refused("set.nothing", "nothing is copied at the moment, so there is no " + asked.key + " to set",
                  "It can be set while verdigris prepare copies; replication.copy of the playbook is where it begins.");
  if (asked.key == kCopyWorkersKey) {
    ask_for_copy_workers(green, static_cast<int>(asked.value), deadline);
    output.document({{"result", "done"}, {"copy_workers", asked.value}, {"before", note->value("workers", 0)}});
    output.result("copy-workers=" + std::to_string(asked.value) +
                  ": heeded within two seconds; fewer means that each ends its table first");
    return kDone;
  }
  ask_for_copy_rate(green, asked.value, deadline);
  output.document({{"result", "done"},
                   {"copy_rate_bytes", asked.value == 0 ? Json(nullptr) : Json(asked.value)},
                   {"before", note->value("max_bytes_per_second", Json(nullptr))}});
  output.result("copy-rate=" + (asked.value == 0 ? std::string("none") : size_text(asked.value) + " each second") +
                ": heeded within two seconds");
  return kDone;
}

}  // namespace verdigris
