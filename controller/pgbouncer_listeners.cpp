#include "controller/pgbouncer_listeners.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;

constexpr const char* kListening = "0A";  // TCP_LISTEN, as the kernel writes it

std::string whole_of(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Of the network that the process is in, which may be another than ours.
Listeners listeners_beside(const PoolerListening& process) {
  Listeners all;
  for (const char* table : {"tcp", "tcp6"}) {
    std::string text;
    if (process.pid != 0) text = whole_of("/proc/" + std::to_string(process.pid) + "/net/" + table);
    if (text.empty()) text = whole_of(std::string("/proc/self/net/") + table);
    for (auto& [address, inodes] : listeners_in(text, std::atoi(process.port.c_str())))
      all[address].insert(inodes.begin(), inodes.end());
  }
  return all;
}

// By their inodes. Nothing if that may not be read: the process is another user's.
std::optional<std::set<std::string>> sockets_of(pid_t pid) {
  constexpr std::string_view kSocket = "socket:[";
  std::error_code error;
  fs::directory_iterator entries("/proc/" + std::to_string(pid) + "/fd", error);
  if (pid == 0 || error) return std::nullopt;
  std::set<std::string> inodes;
  for (; entries != fs::directory_iterator(); entries.increment(error)) {
    std::error_code unread;
    const auto target = fs::read_symlink(entries->path(), unread).string();
    if (unread == std::errc::no_such_file_or_directory) continue;  // closed meanwhile
    if (unread) return std::nullopt;                               // the directory may be read, and what is in it not
    if (target.starts_with(kSocket)) inodes.insert(target.substr(kSocket.size(), target.size() - kSocket.size() - 1));
  }
  if (error) return std::nullopt;
  return inodes;
}

bool is_any(const std::string& address) { return address.find_first_not_of('0') == std::string::npos; }

// Whether a socket there keeps another one from listening here: one of all IPv6 addresses has IPv4's as well.
bool is_in_the_way(const std::string& there, const std::string& here) {
  if (there == here) return true;
  const bool is_same_family = there.size() == here.size();
  if (is_any(there)) return is_same_family || there.size() > here.size();
  return is_any(here) && is_same_family;
}

// An address is written word by word, each as the machine has it in memory.
std::string in_words(const void* address, std::size_t size) {
  std::string text;
  for (std::size_t at = 0; at < size; at += sizeof(std::uint32_t)) {
    std::uint32_t word = 0;
    std::memcpy(&word, static_cast<const char*>(address) + at, sizeof word);
    std::array<char, 9> hex{};
    std::snprintf(hex.data(), hex.size(), "%08X", word);
    text += hex.data();
  }
  return text;
}

void add_resolved(const std::string& name, std::vector<std::string>& all) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0) return;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (one->ai_family == AF_INET) {
      const auto* in = reinterpret_cast<const sockaddr_in*>(one->ai_addr);
      all.push_back(in_words(&in->sin_addr, sizeof in->sin_addr));
    }
    if (one->ai_family == AF_INET6) {
      const auto* in = reinterpret_cast<const sockaddr_in6*>(one->ai_addr);
      all.push_back(in_words(&in->sin6_addr, sizeof in->sin6_addr));
    }
  }
}

int count_at(const Listeners& listeners, const std::string& address) {
  const auto found = listeners.find(address);
  return found == listeners.end() ? 0 : static_cast<int>(found->second.size());
}

// How many of those that the playbook names listen there.
int named_at(const std::vector<PoolerListening>& named, const std::string& port, const std::string& address) {
  return static_cast<int>(std::ranges::count_if(named, [&](const PoolerListening& one) {
    const auto addresses = kernel_addresses(one.addresses);
    return one.port == port && std::ranges::find(addresses, address) != addresses.end();
  }));
}

std::string processes_text(int processes) { return std::to_string(processes) + (processes == 1 ? " process" : " processes"); }

[[noreturn]] void refuse_siblings(const PoolerListening& one, int seen, int named) {
  throw Refused("pooler.siblings",
                "pooler " + one.name + ": " + processes_text(seen) + " of this machine listen on port " + one.port +
                    " with so_reuseport, the playbook names " + std::to_string(named) +
                    ": clients of the others would not be held",
                "Name each of them in pooler.instances, by its own unix socket directory, or stop what is left over.");
}

[[noreturn]] void refuse_unseen(const PoolerListening& one, int seen, int named) {
  throw Refused("pooler.listeners-unseen",
                "pooler " + one.name + ": of the " + processes_text(named) + " that the playbook names for port " + one.port +
                    " with so_reuseport " + std::to_string(seen) + " can be seen to listen, so others may be unseen",
                "Run verdigris in the poolers' network, or set so_reuseport = 0 if one process serves the port alone.");
}

// A PgBouncer that finds its port taken says so in its log and serves its unix socket alone, where our console reaches it.
void require_its_own(const PoolerListening& one, const std::vector<std::string>& addresses, const Listeners& listeners) {
  const auto own = sockets_of(one.pid);
  if (!own) return;
  const auto is_own = [&own](const std::string& inode) { return own->contains(inode); };
  for (const auto& address : addresses) {
    const auto there = listeners.find(address);
    if (there != listeners.end() && std::ranges::any_of(there->second, is_own)) continue;
    const bool is_taken = std::ranges::any_of(listeners, [&](const auto& other) {
      return is_in_the_way(other.first, address) && !std::ranges::all_of(other.second, is_own);
    });
    if (!is_taken) continue;
    throw Refused("pooler.port-taken",
                  "pooler " + one.name + ": another process of this machine listens on its port " + one.port +
                      ": clients that come by it would not be held",
                  "See which: ss -ltnp 'sport = :" + one.port +
                      "'. Stop it, then restart this PgBouncer, which could not listen there.");
  }
}

void require_all_named(const PoolerListening& one, const std::vector<PoolerListening>& named,
                       const std::vector<std::string>& addresses, const Listeners& listeners) {
  int most_seen = 0, most_named = 0;
  for (const auto& address : addresses) {
    const int seen = count_at(listeners, address), expected = named_at(named, one.port, address);
    if (seen > expected) refuse_siblings(one, seen, expected);
    most_seen = std::max(most_seen, seen);
    most_named = std::max(most_named, expected);
  }
  // Of several addresses one may be missing: a machine without IPv6 has no [::].
  if (most_seen < most_named) refuse_unseen(one, most_seen, most_named);
}

}  // namespace

Listeners listeners_in(const std::string& proc_net_tcp, int port) {
  std::array<char, 8> hex{};
  std::snprintf(hex.data(), hex.size(), ":%04X", static_cast<unsigned>(port) & 0xFFFFU);
  Listeners found;
  std::istringstream lines(proc_net_tcp);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string number, local, remote, state, queues, timer, retransmitted, user, timeout, inode;
    if (!(words >> number >> local >> remote >> state >> queues >> timer >> retransmitted >> user >> timeout >> inode)) continue;
    if (state != kListening || !local.ends_with(hex.data())) continue;
    found[local.substr(0, local.size() - std::strlen(hex.data()))].insert(inode);
  }
  return found;
}

std::vector<std::string> kernel_addresses(const std::string& listen_addr) {
  std::vector<std::string> all;
  std::istringstream names(listen_addr);
  for (std::string name; std::getline(names, name, ',');) {
    name.erase(0, name.find_first_not_of(" \t"));
    name.erase(name.find_last_not_of(" \t") + 1);
    const in_addr any{};
    const in6_addr any6{};
    if (name == "*") {
      all.push_back(in_words(&any, sizeof any));
      all.push_back(in_words(&any6, sizeof any6));
    } else if (!name.empty()) {
      add_resolved(name, all);
    }
  }
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

void require_no_other_listener(const std::vector<PoolerListening>& named) {
  for (const auto& one : named) {
    const auto addresses = kernel_addresses(one.addresses);
    if (addresses.empty()) continue;
    const auto listeners = listeners_beside(one);
    require_its_own(one, addresses, listeners);
    if (one.is_shared) require_all_named(one, named, addresses, listeners);
  }
}

}  // namespace verdigris
