#include "controller/config_conninfo.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "controller/config_faults.hpp"
#include "controller/config_file.hpp"
#include "controller/config_values.hpp"

namespace verdigris {

namespace {

bool is_ipv6(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), address.data()) == 1;
}

bool is_remote_host(const std::string& host) {
  const bool is_socket = host.empty() || host[0] == '/' || host[0] == '@';
  return !is_socket && host != "localhost" && host != "::1" && !host.starts_with("127.");
}

// libpq goes to hostaddr if there is one; the host then only names the certificate.
bool is_remote(const Conninfo& conninfo) {
  return is_remote_host(conninfo.has("hostaddr") ? conninfo.value("hostaddr") : conninfo.value("host"));
}

// A word that changes who we are or what the session does, or that makes one string mean several servers.
bool is_known_keyword(const std::string& keyword) {
  static const std::vector<std::string> kKnown = {"service",
                                                  "host",
                                                  "hostaddr",
                                                  "port",
                                                  "dbname",
                                                  "user",
                                                  "passfile",
                                                  "require_auth",
                                                  "channel_binding",
                                                  "connect_timeout",
                                                  "keepalives",
                                                  "keepalives_idle",
                                                  "keepalives_interval",
                                                  "keepalives_count",
                                                  "tcp_user_timeout",
                                                  "sslmode",
                                                  "sslrootcert",
                                                  "sslcert",
                                                  "sslkey",
                                                  "sslcrl",
                                                  "sslcrldir",
                                                  "sslsni",
                                                  "sslcertmode",
                                                  "ssl_min_protocol_version",
                                                  "ssl_max_protocol_version",
                                                  "requirepeer",
                                                  "gssencmode",
                                                  "krbsrvname",
                                                  "gsslib",
                                                  "gssdelegation",
                                                  "application_name"};
  return std::find(kKnown.begin(), kKnown.end(), keyword) != kKnown.end();
}

std::string host_fault(const std::string& host) {
  if (host.find(',') != std::string::npos) return "names several hosts; one connection string means one server";
  if (host.find_first_of(" \n") != std::string::npos) return "has a blank in its host";
  if (host.starts_with("[")) return "has brackets around its host; they belong to the URI form only";
  const bool is_path = host[0] == '/' || host[0] == '@';
  if (!is_path && host.find('/') != std::string::npos) return "has a relative socket directory as its host";
  if (!is_path && host.find(':') != std::string::npos && !is_ipv6(host))
    return "has a host that is not an IPv6 address";
  return {};
}

void check_place(const Conninfo& conninfo, std::vector<Error>& faults) {
  for (const char* key : {"host", "hostaddr"}) {
    const std::string fault = conninfo.value(key).empty() ? std::string{} : host_fault(conninfo.value(key));
    if (!fault.empty()) faults.push_back(misuse("conninfo", "the connection string " + fault));
  }
  try {
    if (conninfo.has("port")) parse_integer(conninfo.value("port"), {1, 65535});
  } catch (const Error& error) {
    faults.push_back(misuse(error.id(), std::string("port: ") + error.what()));
  }
}

void check_complete(const Conninfo& conninfo, const ConninfoRules& rules, std::vector<Error>& faults) {
  if (!conninfo.value("service").empty()) return;
  std::vector<std::string> missing;
  for (const char* key : {"host", "dbname", "user"}) {
    const bool is_there = !conninfo.value(key).empty() || (key == std::string("host") && conninfo.has("hostaddr"));
    if (!is_there) missing.emplace_back(key);
  }
  if (rules.is_console && conninfo.value("port").empty()) missing.emplace_back("port");
  if (!missing.empty() && !rules.is_partial)
    faults.push_back(misuse("conninfo", fmt::format("the connection string lacks {}", fmt::join(missing, ", ")),
                            "Name a service, or host, dbname and user; the environment is not asked."));
  const std::string dbname = conninfo.value("dbname");
  if (rules.is_console && !dbname.empty() && dbname != "pgbouncer")
    faults.push_back(misuse("conninfo", "the console of PgBouncer is the database \"pgbouncer\""));
  if (dbname.find('=') != std::string::npos || dbname.find("://") != std::string::npos)
    faults.push_back(misuse("conninfo", "dbname holds another connection string"));
}

void check_keywords(const Conninfo& conninfo, std::vector<Error>& faults) {
  for (const auto& [keyword, value] : conninfo.values()) {
    if (is_known_keyword(keyword)) continue;
    faults.push_back(misuse("conninfo-keyword", fmt::format("\"{}\" may not stand in a connection string", keyword),
                            "Sessions of verdigris set what they need themselves."));
  }
}

void check_tls(const Conninfo& conninfo, const ConninfoRules& rules, std::vector<Error>& faults) {
  const auto& modes = tls_modes();
  const bool is_written = conninfo.has("sslmode");
  const std::string mode = is_written ? conninfo.value("sslmode") : "prefer";
  const auto found = std::find(modes.begin(), modes.end(), mode);
  if (found == modes.end()) {
    faults.push_back(misuse("conninfo", fmt::format("sslmode is not one of {}", fmt::join(modes, ", "))));
    return;
  }
  if (!is_remote(conninfo) || found >= std::find(modes.begin(), modes.end(), rules.weakest_tls)) return;
  const std::string text = is_written ? fmt::format("sslmode={}", mode) : "no sslmode, which means prefer,";
  faults.push_back(
      misuse("tls", fmt::format("{} is weaker than {} for a remote host", text, rules.weakest_tls),
             fmt::format("Write sslmode={}, or say in clusters.tls that less will do.", rules.weakest_tls)));
}

void check_passfile_of(const Conninfo& conninfo, const ConninfoRules& rules, std::vector<Error>& faults) {
  if (!rules.is_used_here || !conninfo.has("passfile")) return;
  try {
    check_passfile(conninfo.value("passfile"));
  } catch (const Error& error) {
    faults.push_back(error);
  }
}

}  // namespace

const std::vector<std::string>& tls_modes() {
  static const std::vector<std::string> kModes = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};
  return kModes;
}

void check_conninfo(const Conninfo& conninfo, const ConninfoRules& rules, std::vector<Error>& faults) {
  check_keywords(conninfo, faults);
  check_place(conninfo, faults);
  check_complete(conninfo, rules, faults);
  check_tls(conninfo, rules, faults);
  check_passfile_of(conninfo, rules, faults);
}

std::optional<Conninfo> check_conninfo(std::string_view text, const ConninfoRules& rules, std::vector<Error>& faults) {
  try {
    // Found by its spelling before libpq parses: libpq's complaints quote pieces of the string.
    if (holds_secret(text))
      throw misuse("inline-secret", "a password may not stand in a connection string", "Use service= or a passfile.");
    Conninfo conninfo = Conninfo::parse(text);
    check_conninfo(conninfo, rules, faults);
    return conninfo;
  } catch (const Error& error) {
    faults.push_back(error);
    return std::nullopt;
  }
}

std::string address_of(const Conninfo& conninfo) {
  if (conninfo.has("service") && !conninfo.has("host") && !conninfo.has("hostaddr"))
    return fmt::format("service {} {} {}", conninfo.value("service"), conninfo.value("port"), conninfo.value("dbname"));
  std::string host = conninfo.has("hostaddr") ? conninfo.value("hostaddr") : conninfo.value("host");
  std::transform(host.begin(), host.end(), host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  while (host.size() > 1 && (host.back() == '/' || host.back() == '.')) host.pop_back();
  const std::string port = conninfo.value("port");
  return fmt::format("{} {} {}", host, port.empty() ? "5432" : port, conninfo.value("dbname"));
}

}  // namespace verdigris
