// What a new green takes over from blue beyond its schema: encoding, locale and checksums of the database, limits that
// must not be lower, and the verifiers of the controller's and replication's roles. Reads only.
#pragma once

#include <optional>
#include <string>

#include "replication/connection.hpp"

namespace verdigris {

struct SourceFacts {
  std::string owner = {};  // of the database
  std::string encoding = {}, collate = {}, ctype = {};
  char provider = 'c';                                 // c: libc, i: ICU, b: builtin
  std::string locale = {};                             // of the provider, if it is not libc
  std::string icu_rules = {};                          // or none
  std::string monetary = {}, numeric = {}, time = {};  // lc_*, of the server
  std::string text_search = {};                        // default_text_search_config
  std::string timezone = {};                           // of its files; may be empty
  bool has_checksums = false;
  std::string max_connections = {}, max_locks = {}, max_prepared = {};
  std::optional<std::string> superuser_verifier = {},
                             replication_verifier = {};  // as stored; none: no such role, or no password
};

SourceFacts facts_of_source(Connection& on, const std::string& superuser, const std::string& replication,
                            Deadline deadline);

}  // namespace verdigris
