#include "controller/hold.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>

#include "controller/journal.hpp"
#include "controller/start_time.hpp"
#include "replication/control_schema.hpp"

namespace verdigris {
namespace {

constexpr const char* kKey = "hold";

std::string this_person() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  const passwd* user = getpwuid(geteuid());
  const std::string name = user != nullptr ? user->pw_name : std::to_string(geteuid());
  return name + "@" + host.data() + ", pid " + std::to_string(getpid());
}

}  // namespace

std::string describe(const Hold& hold) { return hold.by + ", since " + hold.at; }

std::optional<Hold> hold_on(Server& server, Deadline deadline) {
  const auto text = saved_value(server.control(), server.deployment(), kKey, deadline);
  if (!text) return std::nullopt;
  const auto value = Json::parse(*text, nullptr, false);
  if (!value.is_object()) return Hold{server.color(), "somebody", "an unknown time"};
  return Hold{server.color(), value.value("by", "somebody"), value.value("at", "an unknown time")};
}

std::optional<Hold> any_hold(Server& blue, Server& green, Deadline deadline) {
  for (Server* server : {&blue, &green}) {
    if (!server->is_connected() || !has_control_schema(server->control(), deadline)) continue;
    if (const auto hold = hold_on(*server, deadline)) return hold;
  }
  return std::nullopt;
}

bool place_hold(Server& server, Deadline deadline) {
  if (hold_on(server, deadline)) return false;
  const Json value{{"by", this_person()}, {"at", utc_time_text(std::chrono::system_clock::now())}};
  save_value(server.control(), server.deployment(), kKey, value.dump(-1, ' ', false, Json::error_handler_t::replace), deadline);
  return true;
}

bool lift_hold(Server& server, Deadline deadline) {
  if (!hold_on(server, deadline)) return false;
  forget_value(server.control(), server.deployment(), kKey, deadline);
  return true;
}

}  // namespace verdigris
