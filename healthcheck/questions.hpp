// The questions, one file each. Each returns at least one finding; what is fine is said too, with the numbers it rests
// on.
#pragma once

#include "healthcheck/check.hpp"

namespace verdigris::questions {

// Who answers
Findings same_database(const CheckContext& context);      // target.same
Findings standby(const CheckContext& context);            // target.standby, target.read-only
Findings leftovers(const CheckContext& context);          // deployment.other, slot.leftover
Findings server_versions(const CheckContext& context);    // versions.pair, versions.minor
Findings controller_role(const CheckContext& context);    // roles.controller
Findings replication_login(const CheckContext& context);  // roles.connect
// What the servers allow
Findings wal_level(const CheckContext& context);       // limits.wal-level
Findings limits(const CheckContext& context);          // limits.slots, .senders, .workers, .connections, .locks
Findings slot_wal(const CheckContext& context);        // limits.slot-wal
Findings durability(const CheckContext& context);      // settings.fsync
Findings loading(const CheckContext& context);         // target.loading
Findings apply_settings(const CheckContext& context);  // apply.role-settings
Findings table_owners(const CheckContext& context);    // apply.table-owners
// What else replicates
Findings foreign_replication(const CheckContext& context);  // target.foreign-repl, repl.inbound
Findings inbound_replication(const CheckContext& context);  // repl.inbound
Findings foreign_slots(const CheckContext& context);        // slot.foreign
Findings table_groups(const CheckContext& context);         // repl.groups, repl.fk-groups
Findings sync_standby(const CheckContext& context);         // slot.sync-standby
Findings missing_standbys(const CheckContext& context);     // slot.sync-missing
Findings physical_standbys(const CheckContext& context);    // fence.standbys, fence.standby-slots
// Who is connected
Findings slot_blockers(const CheckContext& context);          // slot.blockers
Findings prepared_transactions(const CheckContext& context);  // fence.prepared
Findings bypassing_sessions(const CheckContext& context);     // clients.bypass
Findings replica_role(const CheckContext& context);           // fence.replica-role
Findings logins(const CheckContext& context);                 // roles.login
// Whether the schema can be carried over
Findings dump_tool(const CheckContext& context);         // tool.pg-dump
Findings target_empty(const CheckContext& context);      // target.not-empty
Findings encoding(const CheckContext& context);          // schema.encoding
Findings compression(const CheckContext& context);       // schema.compression
Findings extensions(const CheckContext& context);        // schema.extensions
Findings event_triggers(const CheckContext& context);    // schema.event-triggers
Findings replica_triggers(const CheckContext& context);  // schema.replica-triggers
Findings carried_schema(const CheckContext& context);    // data.columns, parity.uncovered, schema.missing-table, ...
Findings schema_drift(const CheckContext& context);      // schema.diff
// What does not replicate, or not as it is
Findings replica_identity(const CheckContext& context);   // ri.none, ri.full-type
Findings unlogged_tables(const CheckContext& context);    // data.unlogged
Findings extension_tables(const CheckContext& context);   // data.extension-tables
Findings large_objects(const CheckContext& context);      // data.large-objects
Findings foreign_tables(const CheckContext& context);     // data.foreign, data.foreign-partition
Findings physical_ids(const CheckContext& context);       // data.physical-ids
Findings generated_columns(const CheckContext& context);  // data.generated
Findings sequence_headroom(const CheckContext& context);  // data.sequence-headroom

// What others rest on: the groups of table_groups().
int streams_each_way(const CheckContext& context);

}  // namespace verdigris::questions
