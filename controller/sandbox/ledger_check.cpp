#include "controller/sandbox/ledger_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace verdigris {
namespace {

constexpr std::size_t kMostExamples = 10;

using Key = std::pair<int, std::int64_t>;  // writer, n

struct LedgerRows {
  std::optional<std::int64_t> seq_value;  // in ledger_a
  std::int64_t in_b = 0;
};

class LedgerCheck {
 public:
  LedgerCheck(const std::vector<LedgerEntry>& ledger, Connection& side, Deadline deadline)
      : ledger_(ledger), snapshot_(side, deadline, Transaction::Mode::repeatable_read_only) {}

  LedgerVerdict run() {
    read_tables();
    compare_acknowledged();
    compare_rows();
    compare_values();
    compare_totals();
    count_turns();
    snapshot_.commit();
    return std::move(verdict_);
  }

 private:
  template <class... Args>
  void found(std::int64_t& counter, std::int64_t by, fmt::format_string<Args...> text, Args&&... args) {
    counter += by;
    if (verdict_.examples.size() < kMostExamples)
      verdict_.examples.push_back(fmt::format(text, std::forward<Args>(args)...));
  }

  // LedgerRows of an earlier load, with a ledger of its own, have smaller numbers.
  std::int64_t first_number() const {
    std::int64_t first = INT64_MAX;
    for (const auto& entry : ledger_) first = std::min(first, entry.n);
    return first - first % 1'000'000;
  }

  void read_tables() {
    const Params from{std::to_string(first_number())};
    const Result a = snapshot_.query(Sql("SELECT writer, n, seq_value FROM public.ledger_a WHERE n >= $1"), from);
    for (const auto& row : a.rows(3)) rows_[key(row)].seq_value = row.integer(2);
    const Result b =
        snapshot_.query(Sql("SELECT writer, n, count(*) FROM public.ledger_b WHERE n >= $1 GROUP BY 1, 2"), from);
    for (const auto& row : b.rows(3)) rows_[key(row)].in_b = row.integer(2);
  }

  static Key key(const Row& row) { return {static_cast<int>(row.integer(0)), row.integer(1)}; }

  void compare_acknowledged() {
    for (const auto& entry : ledger_) {
      entries_.emplace(Key{entry.writer, entry.n}, &entry);
      ++(entry.is_acknowledged ? verdict_.acknowledged : verdict_.unknown);
      if (!entry.is_acknowledged) continue;
      const auto there = rows_.find({entry.writer, entry.n});
      if (there == rows_.end() || !there->second.seq_value || there->second.in_b == 0)
        found(verdict_.lost, 1, "lost: writer {} number {}", entry.writer, entry.n);
      else if (there->second.seq_value != entry.seq_value)
        found(verdict_.lost, 1, "altered: writer {} number {} has sequence value {}, not {}", entry.writer, entry.n,
              *there->second.seq_value, entry.seq_value);
    }
  }

  void compare_rows() {
    for (const auto& [at, rows] : rows_) {
      const auto& [writer, n] = at;
      if (rows.in_b > 1)
        found(verdict_.duplicated, rows.in_b - 1, "{} times: writer {} number {}", rows.in_b, writer, n);
      if (rows.seq_value.has_value() != (rows.in_b > 0))
        found(verdict_.half, 1, "half a transaction: writer {} number {}", writer, n);
      if (!entries_.contains(at)) found(verdict_.invented, 1, "invented: writer {} number {}", writer, n);
    }
  }

  // Over what is there and what clients were told: a value may also have been given to a write that was lost.
  void compare_values() {
    std::set<std::pair<std::int64_t, Key>> given;
    for (const auto& [at, rows] : rows_)
      if (rows.seq_value) given.emplace(*rows.seq_value, at);
    for (const auto& entry : ledger_)
      if (entry.is_acknowledged) given.emplace(entry.seq_value, Key{entry.writer, entry.n});
    const std::pair<std::int64_t, Key>* before = nullptr;
    for (const auto& one : given) {
      if (before != nullptr && before->first == one.first)
        found(verdict_.sequence_twice, 1, "sequence value {} twice: writers {} and {}", one.first, before->second.first,
              one.second.first);
      before = &one;
    }
  }

  // The running sum against the rows it was made from: an UPDATE applied twice shows here.
  void compare_totals() {
    const Result differing = snapshot_.query(Sql(R"(
        SELECT coalesce(t.writer, b.writer), coalesce(t.count, 0), coalesce(b.count, 0)
        FROM public.ledger_totals t
        FULL JOIN (SELECT writer, count(*) AS count, sum(n) AS sum FROM public.ledger_b GROUP BY writer) b USING (writer)
        WHERE (t.count, t.sum) IS DISTINCT FROM (b.count, b.sum))"));
    for (const auto& row : differing.rows(3))
      found(verdict_.duplicated, 1, "writer {} counted {} writes, {} are there", row.integer(0), row.integer(1),
            row.integer(2));
  }

  void count_turns() {
    std::vector<std::pair<std::int64_t, bool>> direct;  // when, is to green
    for (const auto& entry : ledger_)
      if (entry.is_acknowledged && entry.writer >= kDirectToBlue)
        direct.emplace_back(entry.monotonic_ns, entry.writer >= kDirectToGreen);
    std::sort(direct.begin(), direct.end());
    for (std::size_t i = 1; i < direct.size(); ++i)
      if (direct[i].second != direct[i - 1].second) ++verdict_.turns;
  }

  const std::vector<LedgerEntry>& ledger_;
  Transaction snapshot_;
  std::map<Key, LedgerRows> rows_;
  std::map<Key, const LedgerEntry*> entries_;
  LedgerVerdict verdict_;
};

}  // namespace

LedgerVerdict check_ledger(const std::vector<LedgerEntry>& ledger, Connection& side, Deadline deadline) {
  if (ledger.empty()) return {};
  return LedgerCheck(ledger, side, deadline).run();
}

}  // namespace verdigris
