#include "controller/idle_shedding.hpp"

#include <utility>

namespace verdigris {
namespace {

constexpr const char* kSetting = "server_idle_timeout";
constexpr const char* kShort = "0.301";  // seconds; odd, so that it is known as ours

}  // namespace

std::string IdleShedding::command() { return set_command(kSetting, kShort).text(); }

void IdleShedding::begin(PgBouncerConsole& console, Deadline deadline) {
  auto config = console.config(deadline);
  if (config["min_pool_size"] != "0" || config[kSetting].empty() || config[kSetting] == kShort) return;
  was_ = config[kSetting];
  console.set(kSetting, kShort, deadline);
}

void IdleShedding::end(PgBouncerConsole& console, const std::function<std::string()>& configured, Deadline deadline) {
  const auto was = std::exchange(was_, std::nullopt);
  if (console.config(deadline)[kSetting] != kShort) return;
  console.set(kSetting, was ? *was : configured(), deadline);
}

}  // namespace verdigris
