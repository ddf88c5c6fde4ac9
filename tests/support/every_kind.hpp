// A database that holds every kind of thing that belongs to the data: identity and generated columns, partitions,
// inheritance, types, row security, triggers, rules, materialized views and what else a schema may say. For tests that
// ask whether all of it is on the other side afterwards.
#pragma once

#include <string>

#include "replication/connection.hpp"

namespace verdigris::test {

// In an empty database, with rows; as superuser. public.fired tells which triggers and rules fired on that server: it
// is not to be replicated.
void create_every_kind(Connection& on);

// Inserts, updates and deletes on every table that takes them.
void write_every_kind(Connection& on);

// The tables that replication carries, one line each: rows, a digest of their text, and for those of built-in types of
// their bytes.
std::string rows_of_every_kind(Connection& on);

// What the catalog says of them, one fact a line, in words that all majors have in common.
std::string facts_of_every_kind(Connection& on);

}  // namespace verdigris::test
