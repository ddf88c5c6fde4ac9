#include "healthcheck/parity/repair.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "healthcheck/parity/keyed_rows.hpp"
#include "replication/control_schema.hpp"
#include "replication/marker.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kRowsOfABatch = 50;  // their writers on the source, and apply, wait for it
constexpr int kTrialsOfABatch = 2;         // before it is cut in two
constexpr int kTrialsOfARow = 6;
constexpr int kTrialsOfTheStream = 10;
constexpr milliseconds kRestOfARepair{50};
constexpr milliseconds kWayOfTheMarker{1'000};
constexpr std::int64_t kMostRepaired = 10'000, kAlwaysRepaired = 100;
constexpr std::int64_t kPartOfATable = 1'000;  // one of so many rows may be repaired; more is no accident of single rows

// Somebody holds a row; a value is taken by a row that is not right yet.
bool is_about_rows(const ServerError& error) {
  return error.sqlstate() == "55P03" || error.sqlstate() == "40P01" || error.sqlstate().starts_with("23");
}

const std::string* image_in(const RowImages& images, const RowKey& key) {
  const auto found = images.find(key);
  return found == images.end() ? nullptr : &found->second;
}

Sql parameter(std::size_t number, const std::string& type) {
  return Sql("${}::{}", Number(static_cast<std::int64_t>(number)), Sql::type_name(type));
}

struct OneRow {
  Sql condition;
  Params params;
};

// Exactly this one: what its key's type holds for equal (1.0 and 1.00, another case) may be another row.
OneRow the_row(const ComparedTable& table, const RowKey& key, std::size_t first_number) {
  std::vector<Sql> conditions;
  Params params;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const auto& column = table.key[i];
    const Sql wanted = parameter(first_number + i, column.target_type);
    conditions.push_back(Sql(R"({} = {} AND {}::text COLLATE "C" = ({})::text COLLATE "C")", column.column.name, wanted,
                             column.column.name, wanted));
    params.emplace_back(key[i]);
  }
  return {Sql::joined(conditions, " AND "), std::move(params)};
}

}  // namespace

struct Repairer::Batch {
  const ComparedTable& table;
  std::vector<TargetColumn> columns;
  std::vector<RowKey> keys;
  RowImages ours = {};
  std::map<RowKey, std::vector<std::optional<std::string>>> values = {};  // of the source, of all compared columns

  bool is_key(const Identifier& name) const {
    return std::ranges::any_of(table.key, [&](const KeyColumn& one) { return one.column.name == name; });
  }
};

Repairer::Repairer(Server& source, Server& target, const Streams& streams, const Agreement& agreement,
                   const HashAgreement& hashes, Deadline deadline)
    : source_color_(source.color()),
      deployment_(target.deployment()),
      origin_("verdigris_" + target.deployment() + "_repair"),
      id_(std::to_string(new_marker_id(source.color()))),
      streams_(streams),
      agreement_(agreement),
      hashes_(hashes),
      locker_(open_key_session(source, false, deadline)),
      marker_(source.open("repair marker", deadline)),
      source_(open_key_session(source, true, deadline)),
      writer_(open_key_session(target, false, deadline)),
      watcher_(target.open("repair watch", deadline)),
      owner_(target.open("repair origin", deadline)) {
  try {
    owner_.query(Sql("SELECT pg_replication_origin_create($1) WHERE pg_replication_origin_oid($1) IS NULL"), {origin_}, deadline);
    // As if it came by a stream: it is not sent back, and neither triggers nor foreign keys nor the fence see it.
    writer_.query(Sql("SELECT pg_replication_origin_session_setup($1)"), {origin_}, deadline);
    writer_.execute(Sql("SET session_replication_role = replica"), deadline);
  } catch (const ServerError& error) {
    if (error.sqlstate() != "42501") throw;
    throw Refused("repair.role", std::string("rows are not repaired: ") + error.what(),
                  "Let the controller's role be a superuser on that server, or repair by hand.");
  }
}

Repairer::~Repairer() {
  // What uses the origin has to go before it can be dropped; left behind, the next repair takes it.
  try {
    const auto deadline = Deadline::after(milliseconds{5'000});
    if (writer_.is_open()) writer_.execute(Sql("SELECT pg_replication_origin_session_reset()"), deadline);
    owner_.query(Sql("SELECT pg_replication_origin_drop($1)"), {origin_}, deadline);
  } catch (const std::exception&) {
    owner_.close();
  }
}

const ComparedTable& Repairer::table_of(const TableVerdict& verdict) const {
  return *std::ranges::find(agreement_.tables, verdict.table, &ComparedTable::name);
}

std::optional<std::string> Repairer::obstacle(const TableVerdict& verdict, Deadline deadline) {
  if (std::ranges::find(agreement_.tables, verdict.table, &ComparedTable::name) == agreement_.tables.end())
    return "it is not there on both sides";
  if (verdict.is_undecided || !verdict.undecided.empty())
    return "rows of it are undecided; compare it again when less is written";
  if (verdict.rows.empty()) return "no single row was proven to differ";
  const auto& table = table_of(verdict);
  if (table.key.empty()) return "its rows have no key on both sides; copy the table again";
  const auto most = std::min(kMostRepaired, std::max(kAlwaysRepaired, verdict.source_rows / kPartOfATable));
  if (verdict.has_more_rows || static_cast<std::int64_t>(verdict.rows.size()) > most)
    return "more than " + std::to_string(most) + " rows differ; copy the table again";
  return obstacle_on_target(table, verdict, deadline);
}

std::optional<std::string> Repairer::obstacle_on_target(const ComparedTable& table, const TableVerdict& verdict,
                                                        Deadline deadline) {
  const Result fires = watcher_.query(
      Sql(R"(SELECT 'trigger ' || tgname FROM pg_trigger
             WHERE tgrelid = $1::regclass AND NOT tgisinternal AND tgenabled IN ('A', 'R')
             UNION ALL SELECT 'rule ' || rulename FROM pg_rewrite WHERE ev_class = $1::regclass AND ev_enabled IN ('A', 'R')
             ORDER BY 1 LIMIT 1)"),
      {table.name.sql()}, deadline);
  if (const auto row = fires.at_most_one_row(1))
    return row->text(0) + " fires for replicated rows, too, so a written row need not be what was written";
  const auto columns_of = [&](Connection& on) {
    std::set<std::string> names;
    const Result answer = on.query(Sql(R"(SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0
                                           AND NOT attisdropped AND attgenerated = '')"),
                                   {table.name.sql()}, deadline);
    for (const auto& row : answer.rows(1)) names.insert(row.text(0));
    return names;
  };
  const auto ours = columns_of(source_), theirs = columns_of(watcher_);
  for (const auto& name : theirs)
    if (ours.contains(name) && std::ranges::none_of(table.columns, [&](const SharedColumn& one) { return one.name.raw() == name; }))
      return "column " + name + " cannot be compared";
  for (const auto& column : target_columns(table, deadline))
    for (const auto& row : verdict.rows)
      if (column.is_always_identity && std::ranges::count(row.columns, column.name.raw()) > 0)
        return "column " + column.name.raw() + " differs, which is GENERATED ALWAYS AS IDENTITY and cannot be updated";
  return std::nullopt;
}

std::vector<Repairer::TargetColumn> Repairer::target_columns(const ComparedTable& table, Deadline deadline) {
  const Result answer = watcher_.query(
      Sql(R"(SELECT attname, format_type(atttypid, atttypmod), attgenerated <> '', attidentity = 'a'
             FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped)"),
      {table.name.sql()}, deadline);
  std::map<std::string, TargetColumn> by_name;
  for (const auto& row : answer.rows(4))
    by_name.emplace(row.text(0), TargetColumn{Identifier(row.text(0)), row.text(1), row.boolean(2), row.boolean(3)});
  std::vector<TargetColumn> columns;
  for (const auto& column : table.columns) columns.push_back(by_name.at(column.name.raw()));
  return columns;
}

RepairOutcome Repairer::repair(const TableVerdict& verdict, Deadline deadline) {
  using Kind = RowDifference::Kind;
  RepairOutcome outcome;
  const auto& table = table_of(verdict);
  const auto columns = target_columns(table, deadline);
  // What is too much goes first: it may hold a unique value that another row needs.
  for (const auto kind : {Kind::extra, Kind::changed, Kind::missing}) {
    std::vector<RowKey> keys;
    for (const auto& row : verdict.rows)
      if (row.kind == kind) keys.push_back(row.key);
    for (std::size_t from = 0; from < keys.size(); from += kRowsOfABatch) {
      const auto at = [&](std::size_t place) { return keys.begin() + static_cast<std::ptrdiff_t>(std::min(place, keys.size())); };
      settle({table, columns, {at(from), at(from + kRowsOfABatch)}}, outcome, deadline);
    }
  }
  return outcome;
}

void Repairer::settle(Batch batch, RepairOutcome& outcome, Deadline deadline) {
  std::string why;
  int late = 0;
  for (int failed = 0; failed < (batch.keys.size() > 1 ? kTrialsOfABatch : kTrialsOfARow);) {
    try {
      if (try_batch(batch, outcome, deadline)) return;
      if (++late >= kTrialsOfTheStream || deadline.has_passed())
        throw DeadlinePassed(watcher_.server() + ": apply did not come to a marker in time while rows were repaired",
                             "Wait until it has caught up, then run it again; what is repaired stays.");
    } catch (const ServerError& error) {
      if (!is_about_rows(error)) throw;
      why = error.what();
      ++failed;
    }
    std::this_thread::sleep_for(kRestOfARepair);
  }
  if (batch.keys.size() == 1) {
    outcome.left.emplace_back(batch.keys.front(), why);
    return;
  }
  // One row that stands in the way must not keep the others.
  const auto middle = batch.keys.begin() + static_cast<std::ptrdiff_t>(batch.keys.size() / 2);
  settle({batch.table, batch.columns, {batch.keys.begin(), middle}}, outcome, deadline);
  settle({batch.table, batch.columns, {middle, batch.keys.end()}}, outcome, deadline);
}

// False if apply did not come to the marker in time. A session that is lost on the way takes its locks and what it wrote along.
bool Repairer::try_batch(Batch& batch, RepairOutcome& outcome, Deadline deadline) {
  const auto& table = batch.table;
  Transaction lock(locker_, deadline);
  lock.execute(Sql("SET LOCAL lock_timeout = '50ms'; SET LOCAL idle_in_transaction_session_timeout = '5s'"));
  batch.ours = read_rows(locker_, table, Side::source, hashes_, batch.keys, deadline, ImageOf::columns,
                         is_mutant("repair_unlocked_rows") ? RowLock::none : RowLock::share);
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < table.columns.size(); ++i) places.push_back(i);
  batch.values.clear();
  for (const auto& key : batch.keys)
    if (batch.ours.contains(key)) batch.values[key] = read_values(locker_, table, Side::source, key, places, deadline);

  Transaction write(writer_, deadline);
  if (!stop_apply_with(write, deadline)) return false;
  const auto theirs = read_rows(writer_, table, Side::target, hashes_, batch.keys, deadline, ImageOf::columns);
  std::vector<RowKey> absent, wrong;
  for (const auto& key : batch.keys)
    if (!batch.ours.contains(key)) absent.push_back(key);
  const auto come = read_rows(source_, table, Side::source, hashes_, absent, deadline);
  std::int64_t alike = 0;
  for (const auto& key : batch.keys) {
    const auto *here = image_in(batch.ours, key), *there = image_in(theirs, key);
    if (come.contains(key) || (here == nullptr && there == nullptr) || (here && there && *here == *there))
      ++alike;  // what has come is on its way
    else
      wrong.push_back(key);
  }
  if (!wrong.empty()) {
    const auto before = rows_as_text(batch, wrong, deadline);
    for (const auto& key : wrong) write_row(batch, key, batch.ours.contains(key), theirs.contains(key), deadline);
    require_alike(batch, wrong, deadline);
    note_images(batch, wrong, before, deadline);
    write.commit();
  }
  outcome.repaired += static_cast<std::int64_t>(wrong.size());
  outcome.settled += alike;
  return true;
}

// The lock on the marker's table and what is written are one transaction: apply cannot go on without it.
bool Repairer::stop_apply_with(Transaction& write, Deadline deadline) {
  std::vector<QualifiedName> markers;
  for (const auto& stream : streams_) markers.push_back(stream.marker());
  write.execute(Sql(R"(SET LOCAL lock_timeout = '500ms'; SET LOCAL idle_in_transaction_session_timeout = '2s';
                       LOCK TABLE {} IN SHARE MODE)",
                    Sql::joined(markers, ", ")));
  write_marker(marker_, source_color_, "repair", deadline);
  const auto arrival = Deadline::after(kWayOfTheMarker).or_earlier(deadline);
  while (!apply_at_marker(watcher_, streams_, deadline).is_all) {
    if (arrival.has_passed()) return false;
    std::this_thread::sleep_for(milliseconds{1});
  }
  return true;
}

void Repairer::write_row(const Batch& batch, const RowKey& key, bool is_here, bool is_there, Deadline deadline) {
  const auto& name = batch.table.name;
  if (!is_here) {
    const auto row = the_row(batch.table, key, 1);
    writer_.query(Sql("DELETE FROM ONLY {} WHERE {}", name, row.condition), row.params, deadline);
    return;
  }
  const auto& values = batch.values.at(key);
  std::vector<Sql> names, placed, settings;
  Params params;
  for (std::size_t i = 0; i < batch.columns.size(); ++i) {
    const auto& column = batch.columns[i];
    if (column.is_generated || (is_there && (column.is_always_identity || batch.is_key(column.name)))) continue;
    params.push_back(values.at(i));
    names.push_back(Sql("{}", column.name));
    placed.push_back(parameter(params.size(), column.type));
    settings.push_back(Sql("{} = {}", names.back(), placed.back()));
  }
  if (!is_there) {
    writer_.query(Sql("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})", name, Sql::joined(names, ", "),
                      Sql::joined(placed, ", ")),
                  params, deadline);
    return;
  }
  auto row = the_row(batch.table, key, params.size() + 1);
  params.insert(params.end(), row.params.begin(), row.params.end());
  writer_.query(Sql("UPDATE ONLY {} SET {} WHERE {}", name, Sql::joined(settings, ", "), row.condition), params, deadline);
}

void Repairer::require_alike(const Batch& batch, const std::vector<RowKey>& keys, Deadline deadline) {
  const auto now = read_rows(writer_, batch.table, Side::target, hashes_, keys, deadline, ImageOf::columns);
  for (const auto& key : keys) {
    const auto *here = image_in(batch.ours, key), *there = image_in(now, key);
    if ((here == nullptr) == (there == nullptr) && (here == nullptr || *here == *there)) continue;
    throw Error("repair.mismatch",
                writer_.server() + ": a row of " + batch.table.name.display() + " is not what was written into it; it was rolled back",
                "Compare the column types, generated columns and triggers of both sides; batches before this one are repaired.");
  }
}

RowImages Repairer::rows_as_text(const Batch& batch, const std::vector<RowKey>& keys, Deadline deadline) {
  RowImages rows;
  for (const auto& key : keys) {
    const auto row = the_row(batch.table, key, 1);
    const Result answer = writer_.query(Sql(R"(SELECT "verdigris row"::text FROM ONLY {} AS "verdigris row" WHERE {})",
                                            batch.table.name, row.condition),
                                        row.params, deadline);
    if (const auto found = answer.at_most_one_row(1)) rows.emplace(key, found->text(0));
  }
  return rows;
}

void Repairer::note_images(const Batch& batch, const std::vector<RowKey>& keys, const RowImages& before, Deadline deadline) {
  const auto after = rows_as_text(batch, keys, deadline);
  const auto text_of = [](const RowImages& images, const RowKey& key) {
    const auto* image = image_in(images, key);
    return image ? std::optional(*image) : std::nullopt;
  };
  for (const auto& key : keys)
    writer_.query(Sql(R"(INSERT INTO verdigris.saved (deployment, key, value) VALUES ($1, $2, jsonb_build_object(
                           'table', $3::text, 'key', $4::text[], 'before', $5::text, 'after', $6::text)))"),
                  {deployment_, "repair:" + id_ + ":" + std::to_string(++images_), batch.table.name.display(), text_array(key),
                   text_of(before, key), text_of(after, key)},
                  deadline);
}

}  // namespace verdigris
