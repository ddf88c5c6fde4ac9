#include "controller/traffic_factory.hpp"

#include "controller/pgbouncer.hpp"
#include "controller/traffic_command.hpp"
#include "controller/traffic_none.hpp"

namespace verdigris {

std::unique_ptr<Traffic> make_traffic(const PoolerSettings& settings) {
  if (settings.driver == "none") return std::make_unique<NoTraffic>();
  if (settings.driver == "command") return std::make_unique<CommandTraffic>(settings.command);
  return std::make_unique<PgBouncerTraffic>(settings);
}

}  // namespace verdigris
