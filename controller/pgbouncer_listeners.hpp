// With so_reuseport several PgBouncer processes share one TCP port, and clients reach one or another of them (faults
// B14): one that the playbook does not name would go on serving while the others hold their clients. So the sockets that
// listen there are counted (operator.md 8.2); the kernel tells everybody. Nor may a process that was left over hold the
// port alone, while ours is reached by its unix socket only: whose the sockets are is looked up where the machine lets us
// (root, or the poolers' user). Any thread.
#pragma once

#include <sys/types.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace verdigris {

// Where one process of the playbook listens, as it says itself.
struct PoolerListening {
  std::string name;         // how messages call it
  pid_t pid = 0;            // 0 if it cannot be seen from here
  std::string port;         // listen_port
  std::string addresses;    // listen_addr: "*", addresses and names with commas between them; empty: unix socket only
  bool is_shared = false;   // so_reuseport
};

// Throws Refused "pooler.port-taken" if not the process itself listens where it should, "pooler.siblings" if more
// processes listen than the playbook names, "pooler.listeners-unseen" if fewer are seen than it names: then others could
// not be seen either.
void require_no_other_listener(const std::vector<PoolerListening>& named);

// Inodes of sockets that listen, by the kernel's own notation of the address.
using Listeners = std::map<std::string, std::set<std::string>>;

// The text of /proc/net/tcp or tcp6: who listens on the port.
Listeners listeners_in(const std::string& proc_net_tcp, int port);
// In that notation; a name may have several. Empty if it is unknown.
std::vector<std::string> kernel_addresses(const std::string& listen_addr);

}  // namespace verdigris
