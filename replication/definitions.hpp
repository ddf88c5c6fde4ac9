// What a schema defines besides tables and what is built on their data: views, functions, types, enum labels, defaults,
// NOT NULL. Compared by name and, where its text is the same on every major, by text, so that a change made on one side
// alone is seen: replication carries none of it (pitfalls A5).
#pragma once

#include <string>
#include <vector>

#include "replication/connection.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

// What the source has and the target lacks or has otherwise, one phrase each: "function public.f(int4)",
// "default of public.orders.note", "public.orders.id bigint (integer on green)". Wider types on the target are fine.
std::vector<std::string> missing_definitions(Connection& source, Connection& target, const TableSelection& filter,
                                             Deadline deadline);

}  // namespace verdigris
