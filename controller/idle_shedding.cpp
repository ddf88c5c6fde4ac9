#include "controller/idle_shedding.hpp"

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
  if (console.config(deadline)[kSetting] == kShort) console.set(kSetting, was_ ? *was_ : configured(), deadline);
  was_.reset();  // not before: a session that is lost here is opened anew, and this said again
}

}  // namespace verdigris
