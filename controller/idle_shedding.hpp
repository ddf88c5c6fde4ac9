// Lets a pooler close the server connections that nobody used for a moment, shortly before it is paused: PAUSE closes them
// all at once, and the window would wait while as many server processes end. Busy ones stay, so clients notice nothing but
// a login now and then. The process itself does it, by a shorter server_idle_timeout, which RELOAD takes back as well.
// One pooler, one thread.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "controller/pgbouncer_console.hpp"

namespace verdigris {

class IdleShedding {
 public:
  static std::string command();  // what begin() says
  // Not with a min_pool_size, where the pooler would open again what it closes.
  void begin(PgBouncerConsole& console, Deadline deadline);
  // Puts back what was there; what another process left, too: then configured() says the value of the file. Idempotent.
  void end(PgBouncerConsole& console, const std::function<std::string()>& configured, Deadline deadline);

 private:
  std::optional<std::string> was_;
};

}  // namespace verdigris
