// The rules for connection strings of a playbook: complete, without secrets, without options that would change what our
// sessions are, encrypted towards remote hosts. Texts never quote the string itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "replication/conninfo.hpp"
#include "replication/errors.hpp"

namespace verdigris {

struct ConninfoRules {
  bool is_used_here = true;  // by us, so that its passfile can be looked at; else by a server
  bool is_console = false;   // of a pooler
  std::string weakest_tls = "verify-full";
  bool is_partial = false;   // what is missing is told by the program that makes green
};

// sslmode's words, weakest first.
const std::vector<std::string>& tls_modes();

// The string, if it can be parsed; all that is wrong is appended to `faults`.
std::optional<Conninfo> check_conninfo(std::string_view text, const ConninfoRules& rules, std::vector<Error>& faults);

// The same of one that is parsed already.
void check_conninfo(const Conninfo& conninfo, const ConninfoRules& rules, std::vector<Error>& faults);

// Where a connection string leads, textually: two that are equal lead to the same database. User and TLS do not count.
std::string address_of(const Conninfo& conninfo);

}  // namespace verdigris
