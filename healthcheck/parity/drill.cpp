#include "healthcheck/parity/drill.hpp"

#include <algorithm>
#include <vector>

namespace verdigris {
namespace {

constexpr std::int64_t kBuckets = 4096;
constexpr std::int64_t kFewRows = 20'000;    // read without asking by bucket first
constexpr std::int64_t kMostRows = 200'000;  // of a side, kept here at once
constexpr std::size_t kMostSuspects = 1'000;

struct Pair {
  Result source, target;
};

Pair ask_both(ParitySessions& sessions, const Sql& statement, Deadline deadline) {
  auto& source = sessions.source().workers.front();
  auto& target = sessions.target().workers.front();
  const Sql text("ROLLBACK TO SAVEPOINT scan; {}", statement);  // scan.hpp: no lock outlasts its statement
  source.send(text, deadline);
  target.send(text, deadline);
  try {
    Result ours = source.receive(deadline);
    return {std::move(ours), target.receive(deadline)};
  } catch (...) {
    sessions.close();  // one may still hold an answer
    throw;
  }
}

// What is_key tells rows apart by; without a key they are told apart by all of it.
Sql bucket_of(const ComparedTable& table, const HashAgreement& hashes) {
  std::vector<SharedColumn> columns;
  for (const auto& one : table.key) columns.push_back(one.column);
  return Sql("(({}) & {})", row_hash(columns.empty() ? table.columns : columns, hashes), Number(kBuckets - 1));
}

struct Bucket {
  std::int64_t rows = 0;
  std::string sum;
  bool operator==(const Bucket&) const = default;
};

std::map<std::int64_t, Bucket> buckets_in(const Result& answer) {
  std::map<std::int64_t, Bucket> buckets;
  for (const auto& row : answer.rows(3)) buckets[row.integer(0)] = {row.integer(1), row.text(2)};
  return buckets;
}

struct Chosen {
  std::vector<Number> buckets;
  bool are_all = true;
};

// Those that differ, as far as their rows have room here.
Chosen differing_buckets(ParitySessions& sessions, const ComparedTable& table, const Sql& bucket, Deadline deadline) {
  const auto answers = ask_both(sessions,
                                Sql("SELECT {} AS bucket, count(*), sum({})::text FROM ONLY {} GROUP BY 1", bucket,
                                    row_hash(table.columns, sessions.hashes()), table.name),
                                deadline);
  const auto ours = buckets_in(answers.source), theirs = buckets_in(answers.target);
  Chosen chosen;
  std::int64_t rows = 0;
  for (std::int64_t number = 0; number < kBuckets; ++number) {
    const auto here = ours.find(number), there = theirs.find(number);
    const Bucket one = here == ours.end() ? Bucket{} : here->second, other = there == theirs.end() ? Bucket{} : there->second;
    if (one == other) continue;
    rows += std::max(one.rows, other.rows);
    if (!chosen.buckets.empty() && rows > kMostRows) {
      chosen.are_all = false;
      break;
    }
    chosen.buckets.push_back(Number(number));
  }
  return chosen;
}

std::map<RowKey, std::string> rows_in(const Result& answer, std::size_t columns) {
  std::map<RowKey, std::string> rows;
  for (const auto& row : answer.rows(static_cast<int>(columns) + 1)) {
    RowKey key;
    for (std::size_t i = 0; i < columns; ++i) key.push_back(row.text(static_cast<int>(i)));
    rows.emplace(std::move(key), row.text(static_cast<int>(columns)));
  }
  return rows;
}

void add_suspect(Drilled& drilled, const RowKey& key) {
  if (drilled.keys.size() >= kMostSuspects)
    drilled.is_cut = true;
  else
    drilled.keys.insert(key);
}

void find_keys(const Pair& answers, std::size_t columns, Drilled& drilled) {
  auto ours = rows_in(answers.source, columns), theirs = rows_in(answers.target, columns);
  for (const auto& [key, image] : ours) {
    const auto found = theirs.find(key);
    if (found == theirs.end() || found->second != image) add_suspect(drilled, key);
  }
  for (const auto& [key, image] : theirs)
    if (!ours.contains(key)) add_suspect(drilled, key);
}

void find_surplus(const Pair& answers, Drilled& drilled) {
  for (const auto& row : answers.source.rows(2)) drilled.surplus[row.text(0)] += row.integer(1);
  for (const auto& row : answers.target.rows(2)) drilled.surplus[row.text(0)] -= row.integer(1);
  std::erase_if(drilled.surplus, [](const auto& one) { return one.second == 0; });
}

}  // namespace

Drilled drill(ParitySessions& sessions, std::size_t index, const SumPair& sums, Deadline deadline) {
  const ComparedTable& table = sessions.agreement().tables[index];
  const Sql hash = row_hash(table.columns, sessions.hashes());
  const Sql bucket = bucket_of(table, sessions.hashes());
  Drilled drilled;
  Sql where("");
  if (std::max(sums.source.rows, sums.target.rows) > kFewRows) {
    const auto chosen = differing_buckets(sessions, table, bucket, deadline);
    if (chosen.buckets.empty()) return drilled;
    drilled.is_cut = !chosen.are_all;
    where = Sql(" WHERE {} IN ({})", bucket, Sql::joined(chosen.buckets, ", "));
  }
  if (table.key.empty()) {
    find_surplus(ask_both(sessions, Sql("SELECT ({})::text, count(*) FROM ONLY {}{} GROUP BY 1", hash, table.name, where), deadline),
                 drilled);
    return drilled;
  }
  std::vector<Sql> keys;
  for (const auto& one : table.key) keys.push_back(Sql("{}::text", one.column.name));
  find_keys(ask_both(sessions, Sql("SELECT {}, ({})::text FROM ONLY {}{}", Sql::joined(keys, ", "), hash, table.name, where), deadline),
            table.key.size(), drilled);
  return drilled;
}

}  // namespace verdigris
