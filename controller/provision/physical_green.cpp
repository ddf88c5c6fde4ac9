#include "controller/provision/physical_green.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "controller/provision/server_files.hpp"
#include "controller/steps/copy_tables.hpp"
#include "controller/steps/restore_constraints.hpp"
#include "controller/steps/restore_schema.hpp"
#include "replication/access.hpp"
#include "replication/control_schema.hpp"
#include "replication/errors.hpp"
#include "replication/fence.hpp"
#include "replication/full_verification.hpp"
#include "replication/poll.hpp"
#include "replication/publication.hpp"
#include "replication/replica_identity.hpp"
#include "replication/slot.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

using std::chrono::hours;

// Blue's note of where the stream begins. That it is written also gives recovery a record behind it to stop at.
constexpr const char* kStreamStart = "provision:start";
constexpr hours kBackupPatience{7 * 24}, kRecoveryPatience{7 * 24};
constexpr std::chrono::minutes kSlotPatience{10};
constexpr std::chrono::seconds kSlotLeft{30};
constexpr std::chrono::milliseconds kBetweenLooks{50};
constexpr std::chrono::minutes kBetweenWords{1};

std::string base_slot_of(const std::string& deployment) { return "verdigris_" + deployment + "_base"; }

void ensure_base_slot(Server& blue, Deadline deadline) {
  blue.control().query(Sql(R"(
    SELECT pg_create_physical_replication_slot($1, true)
    WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1))"),
                       {base_slot_of(blue.deployment())}, deadline);
}

void note_start(Server& blue, Lsn start, Deadline deadline) {
  note_value(blue.control(), blue.deployment(), kStreamStart, "\"" + start.text() + "\"", deadline);
}

// Nothing if the slot is not there, or lost: then what was recovered up to it is of no use.
std::optional<Lsn> noted_start(Server& blue, Deadline deadline) {
  if (!has_control_schema(blue.control(), deadline)) return std::nullopt;
  const auto value = saved_value(blue.control(), blue.deployment(), kStreamStart, deadline);
  const auto slot = slot_state(blue.control(), Stream::forward(blue.deployment()), deadline);
  if (!value || !slot.is_usable()) return std::nullopt;
  const auto start = Lsn::parse(value->substr(1, value->size() - 2));
  return slot.confirmed_flush == start ? std::optional(start) : std::nullopt;
}

std::int64_t counted(Connection& on, const Sql& sql, Deadline deadline) {
  return on.query(sql, {}, deadline).one_row(1).integer(0);
}

// What libpq tells of a server that recovers and lets nobody in meanwhile: of its texts not all are known as 57P03.
bool is_not_open_yet(const CannotConnect& error) {
  const std::string text = error.what();
  return error.sqlstate().empty() || error.sqlstate() == "57P03" ||
         text.find("accepting connections") != std::string::npos || text.find("in recovery mode") != std::string::npos;
}

// The collations that put something in order, each with the version of the library that does it on that machine. Up to 14
// nobody says it of the database's own: then glibc's, which all of its locales share.
std::string libraries_that_sort(Connection& on, Deadline deadline) {
  const Sql of_database =
      on.major() >= 15
          ? Sql("SELECT 'database', pg_database_collation_actual_version(oid) FROM pg_database "
                "WHERE datname = current_database()")
          : Sql("SELECT 'database', max(pg_collation_actual_version(c.oid)) FROM pg_database, pg_collation c "
                "WHERE datname = current_database() AND datcollate NOT IN ('C', 'POSIX') AND c.collprovider = 'c'");
  const Result answer = on.query(Sql(R"(
    SELECT coalesce(string_agg(name || ' ' || version, ', ' ORDER BY name COLLATE "C"), '')
    FROM (SELECT c.collname::text, pg_collation_actual_version(c.oid) FROM pg_collation c
          WHERE c.collprovider <> 'd' AND c.oid IN (SELECT unnest(indcollation::oid[]) FROM pg_index
                                                    UNION SELECT unnest(partcollation::oid[]) FROM pg_partitioned_table
                                                    UNION SELECT rngcollation FROM pg_range)
          UNION ALL {}) AS used (name, version)
    WHERE version IS NOT NULL)",
                                     of_database),
                                 {}, deadline);
  return answer.one_row(1).text(0);
}

// Versions that the catalogs note are blue's, and may be old there, too: so both machines are asked.
void require_same_order(Connection& green, Connection& blue, Deadline deadline) {
  const auto there = libraries_that_sort(blue, deadline), here = libraries_that_sort(green, deadline);
  if (there == here) return;
  throw Error("provision.collation",
              "text is sorted by another library on green's machine than on blue's, and indexes copied with blue's files "
              "would be in the wrong order: blue has " + there + "; green has " + here,
              "Let this machine have blue's version of that library (glibc, ICU), then repeat the command; or run verdigris "
              "abandon, and write provision: { green: initdb, ... }.");
}

}  // namespace

PhysicalGreen::PhysicalGreen(const Playbook& playbook, const ToolRunner& run, ProgressCallback say)
    : ProvisionedGreen(playbook, run, std::move(say)), playbook_(playbook) {}

void PhysicalGreen::drop_base_slot(Server& blue, Deadline deadline) {
  const auto name = base_slot_of(blue.deployment());
  const bool is_gone = wait_until(Deadline::after(kSlotLeft).or_earlier(deadline), [&] {
    blue.control().query(Sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                             "WHERE slot_name = $1 AND slot_type = 'physical' AND NOT active"),
                         {name}, deadline);
    const Result left = blue.control().query(Sql("SELECT true FROM pg_replication_slots WHERE slot_name = $1"), {name}, deadline);
    return !left.at_most_one_row(1);
  });
  if (!is_gone)
    throw Error("provision.base-slot", "blue: slot " + name + " is still read",
                "See by whom (pg_replication_slots), then repeat the command.");
}

void PhysicalGreen::ensure_there(Server& blue, Deadline deadline) {
  throw_away_if_useless(deadline);
  if (is_loading() && !noted_start(blue, deadline)) {
    if (say_)
      say_("green was not recovered to where the stream begins, and that is lost: it is thrown away with " + path().string());
    if (programs_.is_running(path(), deadline)) programs_.stop(path(), "immediate", deadline);
    directory_.throw_away();
  }
  if (directory_.is_free()) make(blue, deadline);
  directory_.clear_workshop();
  start(deadline);
  if (is_loading()) {
    const auto begin = noted_start(blue, deadline).value();
    note_start(blue, begin, deadline);
    auto green = wait_promoted(blue, begin);
    require_same_order(green, blue.control(), deadline);
    require_exact_end(green, begin, deadline);
    crash_point("provision:promoted");
    make_own(green, blue, begin, deadline);
    crash_point("provision:own");
    green.close();
    restart_for_good(deadline);
    settle();
  }
  crash_point("provision:ready");
  drop_base_slot(blue, deadline);
  if (has_control_schema(blue.control(), deadline))
    forget_value(blue.control(), blue.deployment(), kStreamStart, deadline);
}

void PhysicalGreen::require_copyable(Server& blue, Deadline deadline) const {
  const int major = programs_.major(deadline);
  if (major != blue.major())
    throw Refused("provision.major",
                  fmt::format("blue is PostgreSQL {}, and the programs of provision.bindir are {}: a copy of its files runs "
                              "only with its own major",
                              blue.major(), major),
                  "Name the bindir of that major, or write provision: { green: initdb, ... }.");
  const Sql tablespaces("SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')");
  if (counted(blue.control(), tablespaces, deadline) > 0)
    throw Refused("provision.tablespaces", "blue has tablespaces, whose directories a copy would share or lack",
                  "Write provision: { green: initdb, ... }.");
  if (counted(blue.control(), Sql("SELECT count(*) FROM pg_subscription"), deadline) > 0)
    throw Refused("provision.subscriptions", "blue has subscriptions, which a copy of it would serve as well",
                  "Drop them, or write provision: { green: initdb, ... }.");
  const Result role = blue.control().query(Sql("SELECT true FROM pg_roles WHERE rolname = $1 AND rolsuper AND rolcanlogin"),
                                           {superuser_}, deadline);
  if (!role.at_most_one_row(1))
    throw Refused("provision.superuser",
                  "blue has no superuser \"" + superuser_ + "\" that may log in, and a copy of it has blue's roles",
                  "Name one of blue's superusers as user in clusters.green.");
  const auto dbname = blue.control().query(Sql("SELECT current_database()"), {}, deadline).one_row(1).text(0);
  if (dbname != dbname_)
    throw Refused("provision.dbname",
                  "the database is \"" + dbname + "\" on blue, and clusters.green names \"" + dbname_ +
                      "\", which a copy lacks",
                  "Write dbname=" + dbname + " in clusters.green and replication.conninfo.to_green.");
}

// As the steps of prepare do it, which find it done: behind the slot nothing of it would be seen.
void PhysicalGreen::publish(Server& blue, Deadline deadline) const {
  const TableSelection filter{playbook_.replication.include, playbook_.replication.exclude};
  auto& on = blue.control();
  install_control_schema(on, deployment_, "blue", deadline);
  const auto changes = plan_identities(on, filter, blue.major(), deadline);
  if (playbook_.replication.identity == IdentityMode::refuse) require_no_change(on, changes);
  apply_identities(on, deployment_, changes, deadline);
  ensure_publication(on, Stream::forward(deployment_), publishable(user_tables(on, deadline), filter), deadline);
}

// Made when nothing recovers yet: a server that has gone past it cannot come back to it.
Lsn PhysicalGreen::begin_stream(Server& blue, Deadline deadline) const {
  const auto stream = Stream::forward(deployment_);
  drop_slot(blue.control(), stream, deadline);
  ensure_slot(blue.control(), stream, Deadline::after(kSlotPatience).or_earlier(deadline));
  const auto start = slot_state(blue.control(), stream, deadline).confirmed_flush;
  note_start(blue, start, deadline);
  return start;
}

void PhysicalGreen::make(Server& blue, Deadline deadline) {
  const auto facts = facts_of_source(blue.control(), superuser_, replication_, deadline);
  require_passwords(facts);
  require_copyable(blue, deadline);
  publish(blue, deadline);
  ensure_base_slot(blue, deadline);
  try {
    copy_files(blue, facts);
  } catch (...) {
    give_up_slots(blue);
    throw;
  }
}

// Asked again behind the backup, since that takes hours: a tablespace that was made meanwhile would be recovered on green,
// too, and on the same machine into the files of blue.
void PhysicalGreen::copy_files(Server& blue, const SourceFacts& facts) {
  if (say_) say_("copying blue's files to " + path().string());
  const auto made = directory_.fresh_workshop() / ("data-" + std::to_string(::getpid()));
  user_.make_directory(made);
  crash_point("provision:begun");
  programs_.base_backup(made, playbook_.replication.to_blue, base_slot_of(deployment_), Deadline::after(kBackupPatience));
  crash_point("provision:backed-up");
  const auto start = begin_stream(blue, Deadline::after(kSlotPatience));
  require_copyable(blue, Deadline::after(kSlotPatience));
  write_recovery(made, facts, start);
  directory_.move_in(made, {deployment_, GreenState::loading, LoadProfile::keep_fsync, boot_of_machine(), ""});
}

// They would keep blue's log for a copy that is not there. Told is what went wrong before, not what does here.
void PhysicalGreen::give_up_slots(Server& blue) const {
  const auto deadline = Deadline::after(2 * kSlotLeft);
  try {
    if (!directory_.is_free()) return;  // moved in after all: the next run recovers it with them
    drop_base_slot(blue, deadline);
    drop_slot(blue.control(), Stream::forward(deployment_), deadline);
  } catch (const std::exception& error) {
    if (say_)
      say_("slot " + base_slot_of(deployment_) + " may be left on blue, and keep its log until abandon: " + error.what());
  }
}

// Blue's own configuration is not taken over: its files may lie elsewhere, and name blue's archive, port and standbys.
void PhysicalGreen::write_recovery(const std::filesystem::path& made, const SourceFacts& facts, Lsn start) const {
  const bool is_exclusive = !is_mutant("inclusive_start");
  const auto to_blue = playbook_.replication.to_blue.with("application_name", base_slot_of(deployment_));
  directory_.write(made, kProductionFile, production_settings(reach_, facts, settings_));
  directory_.write(made, kLoadFile,
                   recovery_settings(to_blue.text(), base_slot_of(deployment_), start.text(), is_exclusive));
  directory_.write(made, "postgresql.auto.conf", "# blue's was not taken over\n");
  directory_.write(made, "postgresql.conf", locale_settings(facts) + including_lines());
  directory_.write(made, "standby.signal", "");
  write_logins(made, facts.replication_verifier.has_value());
  remove_keys_of_blue(made);
}

// With them green could pass itself off as blue. Before its first start: were they missed, it is seen then.
void PhysicalGreen::remove_keys_of_blue(const std::filesystem::path& made) const {
  for (const auto& name : {std::string("server.key"), std::string("server.crt")}) {
    const bool is_meant = std::ranges::any_of(settings_.settings, [&](const auto& one) {
      const bool is_file = one.first == "ssl_key_file" || one.first == "ssl_cert_file";
      return is_file && (one.second == name || one.second == (path() / name).string());
    });
    if (!is_meant) directory_.remove(made, name);
  }
}

// It lets nobody in before.
std::optional<Connection> PhysicalGreen::promoted() const {
  const auto moment = Deadline::after(std::chrono::seconds{10});
  try {
    auto green = session(dbname_, moment);
    if (!green.query(Sql("SELECT pg_is_in_recovery()"), {}, moment).one_row(1).boolean(0)) return green;
  } catch (const CannotConnect& error) {
    if (!programs_.is_running(path(), moment))
      throw Error("provision.recovery", "green ended in " + path().string() + " before it was recovered: " + error.what(),
                  "Its log " + (path() / kServerLog).string() + " names the cause; mend it, then repeat the command.");
    if (!is_not_open_yet(error)) throw;
  }
  std::this_thread::sleep_for(kBetweenLooks);
  return std::nullopt;
}

Connection PhysicalGreen::wait_promoted(Server& blue, Lsn end) const {
  if (say_) say_("recovering what blue wrote since the copy began, up to where the stream begins");
  std::optional<Connection> green;
  auto next_words = Deadline::after(kBetweenWords);
  const auto is_promoted = [&] {
    green = promoted();
    if (green || !next_words.has_passed()) return green.has_value();
    say_how_far(blue, end);
    next_words = Deadline::after(kBetweenWords);
    return false;
  };
  if (!wait_until(Deadline::after(kRecoveryPatience), is_promoted)) throw DeadlinePassed("green was not recovered in time");
  return std::move(*green);
}

// Blue knows it as soon as green has gone through what came with the backup.
void PhysicalGreen::say_how_far(Server& blue, Lsn end) const {
  if (!say_) return;
  const Result answer = blue.control().query(
      Sql("SELECT pg_size_pretty(greatest(pg_wal_lsn_diff($1::pg_lsn, replay_lsn), 0)) FROM pg_stat_replication "
          "WHERE application_name = $2 AND replay_lsn IS NOT NULL LIMIT 1"),
      {end.text(), base_slot_of(deployment_)}, Deadline::after(kSlotLeft));
  const auto row = answer.at_most_one_row(1);
  say_("green is recovering" + (row ? ", " + row->text(0) + " of blue's log to go" : std::string()));
}

Connection PhysicalGreen::session(const std::string& dbname, Deadline deadline) const {
  const SessionOptions options{"green", "verdigris/" + deployment_ + "/provision", false, {}};
  return Connection::open(through_socket(reach_, superuser_, dbname), options, deadline);
}

// The server itself wrote down where it ended: right before the first record at or behind the stream's begin. One record
// further would be a commit twice, one less a commit lost. Only the head of a page of the log can lie between the two.
void PhysicalGreen::require_exact_end(Connection& green, Lsn start, Deadline deadline) const {
  constexpr std::int64_t kMostOfAPageHead = 64;
  const std::string before = "before LSN ";
  const auto timeline =
      green.query(Sql("SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)"), {}, deadline).one_row(1).text(0);
  auto history = directory_.read(path(), "pg_wal/" + timeline + ".history");
  while (!history.empty() && history.back() == '\n') history.pop_back();
  const auto last = history.substr(history.find_last_of('\n') + 1);
  const auto at = last.find(before);
  if (at != std::string::npos) {
    const auto beyond = (Lsn::parse(last.substr(at + before.size())) - start).count;
    if (beyond >= 0 && beyond < kMostOfAPageHead) return;
  }
  throw Error("provision.recovery-end",
              "green was not recovered up to " + start.text() + ", where the stream begins, but: \"" + last + "\"",
              "Run verdigris abandon, then prepare again; please report it.");
}

// Those that were prepared before the stream's begin and decided behind it come by the stream, whole.
void PhysicalGreen::roll_back_prepared(Connection& green, Deadline deadline) const {
  const Result answer = green.query(Sql("SELECT gid, database FROM pg_prepared_xacts"), {}, deadline);
  for (const auto& row : answer.rows(2)) {
    session(row.text(1), deadline).execute(Sql("ROLLBACK PREPARED {}", Literal(row.text(0))), deadline);
  }
}

// As prepare closes it (CloseFollower, which finds it done): before its pg_hba.conf lets anybody in, and all of blue's roles
// came along with their passwords.
void PhysicalGreen::close_to_writers(Connection& green, Deadline deadline) const {
  {
    Transaction transaction(green, deadline);
    set_fence(transaction, FenceState::following);
    set_marker_fence(transaction, FenceState::closed);
    close_access(transaction, deployment_, {superuser_, replication_});
    transaction.commit();
  }
  install_fence_triggers(green, FenceBy::hundreds, playbook_.fence.lock_timeout, deadline);
}

// Token, journal, markers and publication came along. With blue's journal it would be believed to be blue.
void PhysicalGreen::make_own(Connection& green, Server& blue, Lsn start, Deadline deadline) const {
  // A run that was killed behind it: done anew, the schema would take along what the database's access was before.
  if (has_control_schema(green, deadline) && is_access_closed(green, deployment_, deadline))
    return close_to_writers(green, deadline);
  roll_back_prepared(green, deadline);
  if (counted(green, Sql("SELECT count(*) FROM pg_subscription"), deadline) > 0)
    throw Error("provision.subscriptions", "a subscription was made on blue while it was copied, and its copy must not serve it",
                "Drop it on blue, run verdigris abandon --without green, then prepare again.");
  drop_publication(green, Stream::forward(deployment_), deadline);
  if (!is_mutant("journal_of_blue_kept")) remove_control_schema(green, deadline);
  install_control_schema(green, deployment_, "green", deadline);
  copy_saved_identities(blue.control(), green, deployment_, deadline);
  note_schema_there(green, deployment_, deadline);
  note_rows_there(green, deployment_, start, deadline);
  note_constraints_there(green, deployment_, deadline);
  demand_full_verification(green, deployment_, deadline);
  close_to_writers(green, deadline);
  const auto others = green.query(Sql("SELECT coalesce(string_agg(datname, ', ' ORDER BY datname), '') FROM pg_database "
                                      "WHERE NOT datistemplate AND datname NOT IN (current_database(), 'postgres')"),
                                  {}, deadline);
  if (const auto names = others.one_row(1).text(0); say_ && !names.empty())
    say_("green also holds copies of blue's other databases, which follow nobody: " + names);
}

}  // namespace verdigris
