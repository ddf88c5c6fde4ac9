// What people made in a database, outside of schema verdigris and of extensions: to see that a target is empty, and to
// empty one that we filled.
#pragma once

#include <string>

#include "replication/connection.hpp"

namespace verdigris {

// "12 tables, 3 functions"; empty text if there is nothing.
std::string user_objects(Connection& on, Deadline deadline);

// Drops every user schema with all in it, extensions that live there too, and makes `public` anew as initdb does. One
// transaction. There is no way back; callers have proven that the objects are our copy.
void drop_user_objects(Connection& on, Deadline deadline);

}  // namespace verdigris
