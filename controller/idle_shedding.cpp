#include "controller/idle_shedding.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace verdigris {
namespace {

constexpr const char* kIdleTimeout = "server_idle_timeout";
constexpr const char* kShort = "0.301";  // seconds; odd, so that it is known as ours
constexpr const char* kPoolSize = "default_pool_size";
constexpr int kFewestIdle = 2;

}  // namespace

void PoolDemand::add(const std::vector<PoolLoad>& loads) {
  ++looks_;
  for (const auto& load : loads) busy_[{load.alias, load.user}] += load.busy_servers;
}

int PoolDemand::enough() const {
  int most = 0;
  for (const auto& [pool, busy] : busy_) most = std::max(most, busy);
  const double mean = static_cast<double>(most) / std::max(looks_, 1);
  return std::max(kFewestIdle, static_cast<int>(std::ceil(mean + std::sqrt(mean))));
}

std::vector<std::string> IdleShedding::commands() {
  return {set_command(kIdleTimeout, kShort).text(), set_command(kPoolSize, "<what its transactions fit into>").text()};
}

// The time-out says whose doing it is, so it comes first here and last in end().
void IdleShedding::begin(PgBouncerConsole& console, int enough, Deadline deadline) {
  auto config = console.config(deadline);
  if (config["min_pool_size"] != "0" || config[kIdleTimeout].empty() || config[kIdleTimeout] == kShort) return;
  timeout_was_ = config[kIdleTimeout];
  console.set(kIdleTimeout, kShort, deadline);
  const int size = std::atoi(config[kPoolSize].c_str());
  if (size > 0 && size <= enough) return;
  size_was_ = config[kPoolSize];
  console.set(kPoolSize, std::to_string(enough), deadline);
}

void IdleShedding::end(PgBouncerConsole& console, const Configured& configured, Deadline deadline) {
  if (console.config(deadline)[kIdleTimeout] == kShort) {
    if (size_was_ || !timeout_was_) console.set(kPoolSize, size_was_ ? *size_was_ : configured(kPoolSize, "20"), deadline);
    console.set(kIdleTimeout, timeout_was_ ? *timeout_was_ : configured(kIdleTimeout, "600"), deadline);
  }
  timeout_was_.reset();  // not before: a session that is lost here is opened anew, and this said again
  size_was_.reset();
}

}  // namespace verdigris
