// A schema that is hard to move: hostile names, partition trees, generated and identity columns, tables without a key,
// views, rights. For tests of what prepare does, on any major.
#pragma once

#include "replication/connection.hpp"

namespace verdigris::test {

void create_varied_schema(Connection& on);
// A few thousand rows in every table of it.
void fill_varied_schema(Connection& on);
// One more transaction over several of its tables, with updates and deletes; n makes the values differ.
void write_varied_schema(Connection& on, int n);

}  // namespace verdigris::test
