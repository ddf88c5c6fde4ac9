#include "controller/plans.hpp"

#include "controller/forced_loss.hpp"
#include "controller/gates/command_probe.hpp"
#include "controller/gates/lag_probe.hpp"
#include "controller/gates/long_transactions_probe.hpp"
#include "controller/gates/sql_probe.hpp"
#include "controller/gates/step_probe.hpp"
#include "controller/guardrails.hpp"
#include "controller/migration/files.hpp"
#include "controller/provision/provisioned_green.hpp"
#include "controller/prepared_groups.hpp"
#include "controller/slot_wal_limit.hpp"
#include "controller/steps/analyze_target.hpp"
#include "controller/steps/ask_gates.hpp"
#include "controller/steps/ask_guardrails.hpp"
#include "controller/steps/begin_loading.hpp"
#include "controller/steps/catch_up.hpp"
#include "controller/steps/close_follower.hpp"
#include "controller/steps/close_to_readers.hpp"
#include "controller/steps/confirm_pause.hpp"
#include "controller/steps/copy_roles.hpp"
#include "controller/steps/copy_sequences.hpp"
#include "controller/steps/copy_tables.hpp"
#include "controller/steps/drain_left.hpp"
#include "controller/steps/drain_to_marker.hpp"
#include "controller/steps/drop_stream.hpp"
#include "controller/steps/end_long_transactions.hpp"
#include "controller/steps/fence_source.hpp"
#include "controller/steps/fix_reverse_start.hpp"
#include "controller/steps/follow_parity.hpp"
#include "controller/steps/hold_traffic.hpp"
#include "controller/steps/install_source_fence.hpp"
#include "controller/steps/leave_green.hpp"
#include "controller/steps/leave_load_profile.hpp"
#include "controller/steps/let_readers_leave.hpp"
#include "controller/steps/measure_lag.hpp"
#include "controller/steps/migrate_target.hpp"
#include "controller/steps/move_traffic.hpp"
#include "controller/steps/open_for_good.hpp"
#include "controller/steps/open_target.hpp"
#include "controller/steps/open_to_readers.hpp"
#include "controller/steps/pause_traffic.hpp"
#include "controller/steps/prove_parity.hpp"
#include "controller/steps/publish_source.hpp"
#include "controller/steps/raise_sequences.hpp"
#include "controller/steps/ready_reverse_path.hpp"
#include "controller/steps/restore_constraints.hpp"
#include "controller/steps/restore_replica_identity.hpp"
#include "controller/steps/restore_schema.hpp"
#include "controller/steps/set_replica_identity.hpp"
#include "controller/steps/settle_parity.hpp"
#include "controller/steps/stage_traffic.hpp"
#include "controller/steps/stand_ready.hpp"
#include "controller/steps/start_reverse.hpp"
#include "controller/steps/stop_forward.hpp"
#include "controller/steps/stop_reverse.hpp"
#include "controller/steps/subscribe_target.hpp"
#include "controller/steps/wait_for_quiet_moment.hpp"
#include "controller/steps/warm_up.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kQuietPatience{30'000};
constexpr std::chrono::milliseconds kNoPause{0};
constexpr std::chrono::milliseconds kWalAnswer{10'000};

TableSelection filter_of(const Deployment& d) { return {d.playbook().replication.include, d.playbook().replication.exclude}; }

SchemaSettings schema_of(const Deployment& d, bool drop_green) {
  return {filter_of(d), d.playbook().replication.schema == SchemaMode::present, drop_green,
          {d.tools(), tool_directories({}), std::make_shared<SchemaDumps>()}, d.playbook().replication.copy_workers};
}

SetReplicaIdentity::Settings identity_of(const Deployment& d) {
  return {filter_of(d), d.playbook().replication.identity == IdentityMode::automatic,
          d.playbook().replication.schema == SchemaMode::present};
}

ApplyAs apply_as(const Deployment& d) {
  const bool is_waived = std::ranges::any_of(d.playbook().waivers, [](const auto& one) { return one.id == "apply.table-owners"; });
  return is_waived ? ApplyAs::whoever_is_needed : ApplyAs::owners_of_tables;
}

std::vector<Migration> migrations_of(const Deployment& d) {
  const auto& dir = d.playbook().migrations.dir;
  return dir ? load_migrations(*dir) : std::vector<Migration>{};
}

Bypass bypass_of(Deployment& d) {
  return {d.playbook().fence.bypass, [&d](Deadline deadline) { return pooler_backends(d, deadline); }};
}

// Nothing unless verdigris makes green. With which settings it is filled its directory knows.
std::shared_ptr<ProvisionedGreen> loaded_green(const Deployment& d) {
  if (!d.playbook().provision.is_initdb()) return nullptr;
  return std::make_shared<ProvisionedGreen>(d.playbook(), d.tools(), d.progress());
}

// Whoever reports is at work, and the source keeps WAL meanwhile. What was ready before is not given up for it.
ProgressCallback reporting_within_limit(Deployment& d, const Source& source, const Streams& streams) {
  if (d.standing().phase == Phase::ready) return d.progress();
  auto limit = std::make_shared<SlotWalLimit>(*source, streams, d.playbook().replication.max_slot_wal_bytes);
  return [limit, progress = d.progress()](const std::string& text) {
    limit->require_kept(Deadline::after(kWalAnswer));
    if (progress) progress(text);
  };
}

// Those that count for a crossing from there.
std::vector<GateSettings> gates_of(const Deployment& d, const Server& source) {
  auto gates = d.playbook().gates;
  if (source.color() != "blue")
    std::erase_if(gates, [](const GateSettings& one) {
      return std::holds_alternative<SqlGate>(one) || std::holds_alternative<CommandGate>(one);
    });
  return gates;
}

Streams streams_from(Deployment& d, const Server& server) {
  return d.streams_leaving(server.color(), Deadline::after(kWalAnswer));
}

void add_gate(GateWatch& watch, Deployment& d, Source source, Target target, const GateSettings& gate) {
  if (const auto* lag = std::get_if<LagGate>(&gate)) {
    watch.add(std::make_unique<LagProbe>(source, target, streams_from(d, *source), *lag), {lag->wait});
  } else if (const auto* transactions = std::get_if<LongTransactionsGate>(&gate)) {
    watch.add(std::make_unique<LongTransactionsProbe>(source, *transactions), {transactions->wait});
    if (transactions->action == TransactionPolicy::terminate)
      watch.set_ender(std::make_unique<SourceTransactionsEnder>(source, transactions->older_than));
  } else if (const auto* sql = std::get_if<SqlGate>(&gate)) {
    watch.add(std::make_unique<SqlProbe>(d.side(sql->on), *sql), {sql->wait});
  } else {
    const auto& command = std::get<CommandGate>(gate);
    watch.add(std::make_unique<CommandProbe>(command), {command.wait});
  }
}

// From an empty green to one that follows, migrated and closed, with the way back laid.
Plan preparation(Deployment& d, std::shared_ptr<ProvisionedGreen> loaded, bool drop_green, int groups) {
  const Source blue = d.source_of("blue");
  const Target green = d.target_of("blue");
  const Streams forward(Stream::forward(d.name()), groups), back(Stream::reverse(d.name()), groups);
  const auto lock_timeout = d.playbook().fence.lock_timeout;
  const auto schema = schema_of(d, drop_green);  // one for both: they use one dump
  Plan plan;
  if (loaded) plan.then<BeginLoading>(blue, green, loaded);
  plan.then<SetReplicaIdentity>(blue, green, identity_of(d))
      .then<CopyRoles>(blue, green, our_roles(d))
      .then<RestoreSchema>(blue, green, schema)
      .then<PublishSource>(blue, forward, filter_of(d), wanted_groups(d))
      .then<CopyTables>(blue, green, forward, CopySettings{.filter = filter_of(d),
                                                                    .workers = d.playbook().replication.copy_workers,
                                                                    .ddl_wait = d.playbook().replication.copy_ddl_wait},
                        d.playbook().replication.max_slot_wal_bytes, d.playbook().replication.copy_pace, drop_green,
                        d.progress())
      .then<RestoreConstraints>(blue, green, schema, reporting_within_limit(d, blue, forward))
      .then<CloseFollower>(green, lock_timeout, d.roles_to_keep("green"))
      .then<MigrateTarget>(green, migrations_of(d), d.playbook().migrations.lock_timeout);
  if (loaded)
    plan.then<LeaveLoadProfile>(blue, green, loaded, [&d](Deadline deadline) { d.reopen(deadline); },
                                reporting_within_limit(d, blue, forward));
  plan.then<SubscribeTarget>(blue, green, forward, d.reachable_as("blue"), apply_as(d))
      .then<AnalyzeTarget>(green, d.playbook().replication.copy_workers)
      .then<CatchUp>(blue, green, forward, reporting_within_limit(d, blue, forward))
      .then<InstallSourceFence>(blue, lock_timeout)
      .then<ReadyReversePath>(blue, green, back, d.reachable_as("green"), filter_of(d),
                              ReadyReversePath::OnUndo::remove, apply_as(d));
  return plan;
}

}  // namespace

Plan prepare_plan(Deployment& d, bool drop_green) {
  return preparation(d, loaded_green(d), drop_green, groups_to_prepare(d, Deadline::after(kWalAnswer)));
}

// There is no list of its own: what prepare made is undone by the steps that made it. The notes that green is loaded go
// with the schema they are in.
Plan abandon_plan(Deployment& d, bool drop_green) {
  return preparation(d, nullptr, drop_green, d.groups(Deadline::after(kWalAnswer)));
}

std::shared_ptr<GateWatch> crossing_gates(Deployment& d, Source source, Target target, GateWatch::Say say) {
  auto watch = std::make_shared<GateWatch>(std::move(say));
  for (const auto& gate : gates_of(d, *source)) add_gate(*watch, d, source, target, gate);
  auto facts = std::make_unique<CutoverFacts>();
  auto warm_up =
      std::make_unique<WarmUp>(source, target, d.playbook().replication.copy_workers, crossing_settings(d), *facts);
  watch->add(std::make_unique<StepProbe>(std::move(facts), std::move(warm_up)), {.is_told_only = true});
  facts = std::make_unique<CutoverFacts>();
  auto last_look = std::make_unique<AskGuardrails>(source, target, streams_from(d, *source), crossing_settings(d),
                                                   kQuietPatience, bypass_of(d), *facts);
  watch->add(std::make_unique<StepProbe>(std::move(facts), std::move(last_look)), {.is_told_only = true});
  return watch;
}

// The cutover, top to bottom. Above the line everything can be undone; below it we only go forward.
Plan cutover_plan(Deployment& d, Source source, Target target, std::optional<std::chrono::milliseconds> max_pause,
                  std::shared_ptr<GateWatch> watch) {
  if (!watch) watch = crossing_gates(d, source, target);
  const Streams there = streams_from(d, *source);
  const Streams back(Stream::leaving(target->color(), d.name()), there.groups());
  const auto readers = d.standing().are_reads_ahead ? ProveParity::Readers::on_target : ProveParity::Readers::elsewhere;
  const auto from = d.endpoint(source->color());
  const auto to = d.endpoint(target->color());
  Plan plan;
  plan.then<ReadyReversePath>(source, target, back, d.reachable_as(target->color()), filter_of(d),
                              ReadyReversePath::OnUndo::keep, apply_as(d))
      .then<StageTraffic>(d.traffic(), from, to, max_pause.value_or(d.playbook().cutover.max_pause))
      .then<WarmUp>(source, target, d.playbook().replication.copy_workers, crossing_settings(d), d.facts())
      .then<FollowParity>(source, target, there, back, d.playbook().cutover.verify, d.progress(), d.facts())
      .waits_here();
  if (watch->has_gates()) plan.then<AskGates>(gates_of(d, *source), watch);
  plan.then<WaitForQuietMoment>(source, target, there, kQuietPatience, bypass_of(d), d.playbook().fence.autovacuum, watch)
      .then<AskGuardrails>(source, target, there, crossing_settings(d), kQuietPatience, bypass_of(d), d.facts())
      .then<SettleParity>(source, target, d.playbook().cutover.verify, kQuietPatience, d.facts())
      .then<StandReady>(source, target, there, d.roles_to_keep(source->color()), d.traffic(), d.facts());
  if (watch->ender() != nullptr) plan.then<EndLongTransactions>(source, watch);
  plan.window_opens()
      .then<PauseTraffic>(source, d.traffic())
      .then<FenceSource>(source, d.playbook().fence, d.roles_to_keep(source->color()), d.traffic(), d.facts())
      .then<DrainToMarker>(source, target, there, d.playbook().fence, d.playbook().cutover.promotable, d.facts())
      .then<CopySequences>(source, target, d.facts())
      .then<ProveParity>(source, target, there, filter_of(d), readers, d.roles_to_keep(source->color()), d.facts())
      .then<ConfirmPause>(d.traffic())
      .then<FixReverseStart>(source, target, back, d.facts())
      .point_of_no_return()
      .then<OpenTarget>(target, d.facts())
      .then<MoveTraffic>(d.traffic(), to, MoveTraffic::Earlier::are_gone)
      .window_closes()
      .then<StopForward>(target, there)
      .then<StartReverse>(source, target, back, d.facts())
      .then<DropStream>(*source, *target, there, DropStream::Publication::keep);
  return plan;
}

// Green is open before the first reader comes, and closed behind the last; what writers may do is no part of it.
Plan reads_plan(Deployment& d, const std::string& to, ReadsStart start) {
  const Source blue = d.source_of("blue");
  const Target green = d.target_of("blue");
  const bool leads_ahead = to == green->color();
  Plan plan;
  if (start == ReadsStart::fresh) plan.then<StageTraffic>(d.reads_traffic(), d.endpoint(other_side(to)), d.endpoint(to), kNoPause);
  if (leads_ahead) plan.then<MeasureLag>(blue, green, streams_from(d, *blue)).then<OpenToReaders>(green, d.roles_to_keep("green"));
  plan.then<MoveTraffic>(d.reads_traffic(), d.endpoint(to)).then<LetReadersLeave>(d.reads_traffic(), other_side(to), d.endpoint(to));
  if (!leads_ahead && !green->is_given_up()) plan.then<CloseToReaders>(green, d.roles_to_keep("green"));
  return plan;
}

Plan emergency_plan(Deployment& d, const AcceptedLoss& accepted) {
  const Source green = d.source_of("green");
  const Target blue = d.target_of("green");
  const Streams back = streams_from(d, *green);
  const auto over = crossing_beneath(d.standing()).empty() ? HoldTraffic::Over::nothing : HoldTraffic::Over::crossing;
  Plan plan;
  plan.window_opens()
      .then<HoldTraffic>(d.all_traffic(), d.endpoint("blue"), over)
      .then<LeaveGreen>(green, d.playbook().fence.lock_timeout, d.roles_to_keep("green"), d.facts())
      .then<DrainLeft>(green, blue, back, accepted, last_switch_decided(d.journal().records()))
      .then<StopReverse>(blue, back, d.facts())
      .then<RaiseSequences>(green, blue)
      .point_of_no_return()
      .then<MoveTraffic>(d.all_traffic(), d.endpoint("blue"))
      .window_closes()
      .then<DropStream>(*green, *blue, back, DropStream::Publication::keep)
      // There only if a crossing was not complete: its slot would keep blue's WAL for a green that never asks for it.
      .then<DropStream>(*blue, *green, streams_from(d, *blue), DropStream::Publication::keep);
  return plan;
}

// The way back ends: no stream, no fence on the serving side, identities as they were.
Plan finish_plan(Deployment& d, Source serving, Target follower, FinishOptions options) {
  const auto lock_timeout = d.playbook().fence.lock_timeout;
  Plan plan;
  plan.then<DropStream>(*serving, *follower, streams_from(d, *serving), DropStream::Publication::drop)
      .then<DropStream>(*follower, *serving, streams_from(d, *follower), DropStream::Publication::drop)
      .then<RestoreReplicaIdentity>(*serving)
      .then<OpenForGood>(*serving, lock_timeout);
  if (follower->is_given_up()) return plan;
  plan.then<RestoreReplicaIdentity>(*follower);
  if (options.open_blue) plan.then<OpenForGood>(*follower, lock_timeout);
  return plan;
}

}  // namespace verdigris
