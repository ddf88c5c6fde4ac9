// What PgBouncerInstance knows and does of the server connections before a pause or behind a move, and what it reads of its
// file for it.
#include <algorithm>
#include <thread>

#include "controller/ini_file.hpp"
#include "controller/pgbouncer_instance.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kIdleObservation{100};
constexpr std::chrono::milliseconds kIdleGlance{1};

}  // namespace

// otherwise: PgBouncer's default; clients are not kept waiting for the sake of such a value.
std::string PgBouncerInstance::setting_of_file(const char* name, const char* otherwise, Deadline deadline) {
  try {
    identify(deadline);
    return files_.read().setting(name).value_or(otherwise);
  } catch (const Error&) {
    return otherwise;
  }
}

void PgBouncerInstance::shed_idle(Deadline deadline) {
  PoolDemand demand;
  const Deadline observing = Deadline::after(kIdleObservation).or_earlier(deadline);
  while (!observing.has_passed()) {
    demand.add(on_control(deadline, [&](PgBouncerConsole& console) { return console.loads(deadline); }));
    std::this_thread::sleep_for(kIdleGlance);
  }
  enough_servers_ = demand.enough();
  on_control(deadline, [&](PgBouncerConsole& console) { shedding_.begin(console, enough_servers_, deadline); });
}

void PgBouncerInstance::keep_idle(Deadline deadline) {
  const auto configured = [&](const char* name, const char* otherwise) { return setting_of_file(name, otherwise, deadline); };
  on_control(deadline, [&](PgBouncerConsole& console) { shedding_.end(console, configured, deadline); });
}

PgBouncerInstance::Shed PgBouncerInstance::shed(Deadline deadline) {
  return on_control(deadline, [&](PgBouncerConsole& console) {
    Shed all;
    for (const auto& pool : console.loads(deadline)) {
      all.longest_wait_ms = std::max(all.longest_wait_ms, pool.longest_wait_ms);  // others' clients, too
      if (std::ranges::find(aliases_, pool.alias) == aliases_.end()) continue;
      all.idle += pool.servers - pool.busy_servers;
      all.surplus += std::max(0, pool.servers - enough_servers_);
    }
    return all;
  });
}

// A RELOAD that changes where a database leads marks the connections made before; each is closed once no transaction of a
// client is open on it.
std::vector<std::string> PgBouncerInstance::left_behind(Deadline deadline) {
  return on_control(deadline, [&](PgBouncerConsole& console) {
    std::vector<std::string> found;
    const auto is_left = [&](const PooledServer& server) {
      return server.is_to_be_closed && std::ranges::find(aliases_, server.alias) != aliases_.end();
    };
    if (std::ranges::none_of(console.servers(deadline), is_left)) return found;  // clients are listed only to name one
    for (const auto& alias : aliases_)
      for (const auto& session : console.sessions(alias, deadline))
        if (session.is_to_be_closed)
          found.push_back("pooler " + settings_.name + ": backend " + std::to_string(session.backend_pid) + " of " + session.user +
                          " at \"" + alias + "\"" + (session.client.empty() ? "" : " for " + session.client));
    return found;
  });
}

Service PgBouncerInstance::service(Deadline deadline) {
  return on_control(deadline, [&](PgBouncerConsole& console) {
    const auto loads = console.loads(deadline);
    Service worst = Service::served;
    for (const auto& alias : aliases_) worst = std::max(worst, service_in(loads, console.sessions(alias, deadline), console.database(alias, deadline)));
    return worst;
  });
}

int PgBouncerInstance::transactions(std::set<int>& backends, Deadline deadline) {
  return on_control(deadline, [&](PgBouncerConsole& console) {
    int busy = 0;
    for (const auto& server : console.servers(deadline)) {
      if (std::ranges::find(aliases_, server.alias) == aliases_.end()) continue;
      if (server.backend_pid != 0) backends.insert(server.backend_pid);
      if (server.is_busy) ++busy;
    }
    return busy;
  });
}

}  // namespace verdigris
