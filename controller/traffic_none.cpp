#include "controller/traffic_none.hpp"

namespace verdigris {

// Nobody is held, but from here to resume() clients are refused: the report shows that time.
void NoTraffic::pause(Deadline) {
  times_ = PauseTimes{};
  times_.first_pause_sent = std::chrono::steady_clock::now();
}

void NoTraffic::resume(Deadline) {
  times_.last_resume_acknowledged = std::chrono::steady_clock::now();
}

std::string NoTraffic::effect_on_clients() const {
  return "brief errors: nobody is held or led on; no session stays on the old side, logins are refused there, and clients "
         "find the new side by their list of hosts, or are led there by you";
}

std::string NoTraffic::describe() const {
  const std::string text = "no pooler: the fence alone keeps clients off";
  if (!target_) return text + "; after the switch lead them to the new server yourself";
  return text + "; lead them to " + target_->host + ":" + target_->port + "/" + target_->dbname + " yourself";
}

}  // namespace verdigris
