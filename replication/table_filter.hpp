// Which user tables a deployment moves: patterns "schema.table" with * (any text) and ? (one character). A partition is
// moved with the root of its tree. Unlogged tables and tables of extensions cannot be, whatever a pattern says.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "replication/catalog.hpp"

namespace verdigris {

struct TableFilter {
  std::vector<std::string> include = {"*.*"};
  std::vector<std::string> exclude = {};

  bool selects(const QualifiedName& table) const;
  bool selects(const Table& table) const;
};

bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace verdigris
