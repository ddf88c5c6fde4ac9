// Has a pooler close the server connections that it can do without, shortly before it is paused: PAUSE closes all at once,
// and the window would wait while as many server processes end. The process itself does it: by a shorter
// server_idle_timeout, and by a default_pool_size that its clients' transactions of now fit into, so that it opens no more
// when a busy machine makes them pile up. RELOAD takes both back as well. One pooler, one thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/pgbouncer_console.hpp"

namespace verdigris {

// How many connections the busiest pool of a process uses at once, by looks at all its pools.
class PoolDemand {
 public:
  void add(const std::vector<PoolLoad>& loads);
  // The mean and its square root, as queues are staffed: clients wait little, and shorter the more there are. At least two.
  int enough() const;

 private:
  std::map<std::pair<std::string, std::string>, int> busy_;  // the sum over all looks
  int looks_ = 0;
};

class IdleShedding {
 public:
  static std::vector<std::string> commands();  // what begin() says
  // Not with a min_pool_size, where the pooler would open again what it closes. enough: see PoolDemand.
  void begin(PgBouncerConsole& console, int enough, Deadline deadline);
  // Puts back what was there; what another process left, too: then configured(name, otherwise) says the value of the file.
  // Idempotent.
  using Configured = std::function<std::string(const char* name, const char* otherwise)>;
  void end(PgBouncerConsole& console, const Configured& configured, Deadline deadline);

 private:
  std::optional<std::string> timeout_was_, size_was_;
};

}  // namespace verdigris
