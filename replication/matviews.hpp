// Materialized views, whose rows no replication carries: filled on the target as they are on the source.
#pragma once

#include <vector>

#include "replication/server.hpp"

namespace verdigris {

struct MatviewToFill {
  QualifiedName name;
  bool stays_filled = true;  // else it is not filled on the source, and only needed to fill another
};

// Those that are filled on `source`, and those these read, directly or through views, which come first.
std::vector<MatviewToFill> matviews_to_fill(Connection& source, Deadline deadline);

// What is sent for them, in this order; those that do not stay filled are emptied again at the end.
Sql filling_statement(const QualifiedName& matview);
Sql emptying_statement(const QualifiedName& matview);

// Fills the target's that are not filled yet. What their owner may see is in them, as on the source. Returns how many stay
// filled. Throws Error("matview.refresh") naming the first that cannot be filled; those before it stay, a repetition
// goes on.
int refresh_matviews(Connection& source, const Server& target, Deadline deadline);

}  // namespace verdigris
