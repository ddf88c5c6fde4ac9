// The papers of a sandbox, as a person would write them for servers of their own: playbook and one migration.
#pragma once

#include "controller/sandbox/sandbox_state.hpp"

namespace verdigris {

// <dir>/verdigris.yaml, 0600. `is_schema_present`: green has the schema already (replication.schema: present).
void write_playbook(const SandboxState& state, const std::filesystem::path& pooler_ini, bool is_schema_present);
// The playbook's section about servers whose minor version is an old one; empty if neither's is.
std::string waivers_for(const SandboxServer& blue, const SandboxServer& green);
// <dir>/migrations/0001_customer_loyalty/{up,down}.sql
void write_migration(const SandboxState& state);

}  // namespace verdigris
