// How the schema comes to the target: what the steps restore_schema and restore_constraints have in common.
#pragma once

#include "replication/schema.hpp"
#include "replication/table_selection.hpp"

namespace verdigris {

struct SchemaSettings {
  TableSelection filter = {};
  bool is_present = false;   // replication.schema: present
  bool drop_target = false;  // undo removes the target's user objects (abandon --drop-green)
  SchemaTools tools = {};
  int workers = 2;           // indexes and constraints that are built at once
};

}  // namespace verdigris
