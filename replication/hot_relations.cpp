#include "replication/hot_relations.hpp"

#include <algorithm>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kBlockBytes = 8192;
constexpr std::int64_t kChunk = 1024;   // blocks a statement: 8 MiB, between two looks at the clock
constexpr milliseconds kLeastTime{20};  // with less left nothing more is begun

std::string mib_text(std::int64_t bytes) {
  const auto tenths = bytes * 10 / (1 << 20);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MiB";
}

std::string how_many(int number, const std::string& one, const std::string& many) {
  return std::to_string(number) + " " + (number == 1 ? one : many);
}

// One relation as the other side has it.
struct WarmCandidate {
  bool is_index = false;
  QualifiedName table, relation;
  std::string column;  // of an index: the plain first column of a whole btree; empty: queries cannot read it
  std::int64_t blocks = 0;
  double rows = 0;
};

class Warming {
 public:
  Warming(Connection& on, const WarmLimits& limits)
      : on_(on), limits_(limits), until_(Deadline::after(limits.budget)) {}

  WarmReport run(const std::vector<HotRelation>& relations) {
    const auto began = Deadline::Clock::now();
    try {
      prepare();
      for (const auto& one : relations)
        if (!reads_or_passes_over(one)) break;
    } catch (const Error& error) {
      report_.cut_short = error.what();
    }
    if (until_.remaining() < kLeastTime) report_.cut_short = "its time was over";
    report_.took = std::chrono::duration_cast<milliseconds>(Deadline::Clock::now() - began);
    return report_;
  }

 private:
  // A statement may not run much longer than what is left; ours is the later one, so that the session survives.
  Deadline bounded() { return Deadline::after(until_.remaining() + milliseconds(2'000)); }
  void limit_statement() {
    const auto left = std::max(until_.remaining(), milliseconds(1));
    on_.query(Sql("SELECT set_config('statement_timeout', $1, false)"), {std::to_string(left.count())}, bounded());
  }

  // Plans that read what is named and nothing else.
  void prepare() {
    limit_statement();
    on_.execute(Sql("SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off; "
                    "SET max_parallel_workers_per_gather = 0; SET jit = off"),
                bounded());
    const auto known = on_.query(Sql(R"(
        SELECT (SELECT setting::bigint FROM pg_settings WHERE name = 'shared_buffers'),
               (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                WHERE e.extname = 'pg_prewarm'))"),
                                 bounded());
    const auto row = known.one_row(2);
    left_ = static_cast<std::int64_t>(limits_.share_of_buffers * static_cast<double>(row.integer(0)));
    if (const auto schema = row.text_or_null(1)) prewarm_.emplace(*schema, "pg_prewarm");
    report_.by_extension = prewarm_.has_value();
  }

  std::optional<WarmCandidate> look_up(const HotRelation& one) {
    const bool is_index = !one.index.empty();
    const QualifiedName relation = is_index ? QualifiedName(one.table.schema(), Identifier(one.index)) : one.table;
    const auto found = on_.query(Sql(R"(
        SELECT pg_relation_size(c.oid) / current_setting('block_size')::bigint, greatest(c.reltuples, 0)::float8,
               a.attname
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_index i ON i.indexrelid = c.oid AND i.indpred IS NULL AND i.indkey[0] > 0
                            AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'btree')
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'm', 'i'))"),
                                 {relation.schema().raw(), relation.name().raw()}, bounded());
    const auto row = found.at_most_one_row(3);
    if (!row) return std::nullopt;
    return WarmCandidate{is_index,        one.table,   relation, row->text_or_null(2).value_or(""),
                         row->integer(0), row->real(1)};
  }

  // A table may be truncated meanwhile, or an index dropped.
  bool reads_or_passes_over(const HotRelation& one) {
    try {
      return read(one);
    } catch (const ServerError& error) {
      report_.cut_short = error.what();
      return true;
    }
  }

  // False if nothing more can be read: time or room is used up.
  bool read(const HotRelation& one) {
    if (until_.remaining() < kLeastTime) return false;
    if (left_ <= 0) {
      report_.cut_short = "its share of the cache is filled";
      return false;
    }
    const auto candidate = look_up(one);
    if (!candidate || candidate->blocks == 0) return true;
    const auto blocks = std::min(candidate->blocks, left_);
    const bool is_read = prewarm_              ? by_extension(*candidate, blocks)
                         : candidate->is_index ? by_index(*candidate, blocks)
                                               : by_rows(*candidate, blocks);
    if (!is_read) return until_.remaining() >= kLeastTime;
    (candidate->is_index ? report_.indexes : report_.tables) += 1;
    return true;
  }

  void count(std::int64_t blocks) {
    left_ -= blocks;
    report_.bytes += blocks * kBlockBytes;
  }

  // Of what does not fit as a whole the end: what came last is asked for most.
  template <class Read>
  bool in_chunks(const WarmCandidate& one, std::int64_t blocks, Read read) {
    for (std::int64_t from = one.blocks - blocks; from < one.blocks; from += kChunk) {
      if (until_.remaining() < kLeastTime) return false;
      const auto to = std::min(from + kChunk, one.blocks);
      limit_statement();
      read(from, to);
      count(to - from);
    }
    return true;
  }

  bool by_extension(const WarmCandidate& one, std::int64_t blocks) {
    return in_chunks(one, blocks, [&](std::int64_t from, std::int64_t to) {
      on_.query(Sql("SELECT {}({}::regclass, 'buffer', 'main', $1::bigint, $2::bigint)", *prewarm_,
                    Literal(one.relation.sql())),
                {std::to_string(from), std::to_string(to - 1)}, bounded());
    });
  }

  // By the places of rows: a scan of a whole table that is large for the cache would leave the cache again behind
  // itself. Up to 13 there is no scan of a range of places: only what fits as a whole is read.
  bool by_rows(const WarmCandidate& one, std::int64_t blocks) {
    if (on_.major() < 14) return as_a_whole(one, blocks);
    return in_chunks(one, blocks, [&](std::int64_t from, std::int64_t to) {
      on_.query(Sql("SELECT count(*) FROM ONLY {} WHERE ctid >= $1::tid AND ctid < $2::tid", one.relation),
                {"(" + std::to_string(from) + ",0)", "(" + std::to_string(to) + ",0)"}, bounded());
    });
  }

  bool as_a_whole(const WarmCandidate& one, std::int64_t blocks) {
    if (blocks < one.blocks) return false;
    limit_statement();
    on_.query(Sql("SELECT count(*) FROM ONLY {}", one.relation), bounded());
    count(blocks);
    return true;
  }

  // In the order of its first column, as many rows as the blocks hold that may be read.
  bool by_index(const WarmCandidate& one, std::int64_t blocks) {
    if (one.column.empty()) return false;
    const double share = static_cast<double>(blocks) / static_cast<double>(one.blocks);
    const auto rows = blocks == one.blocks ? std::string("9223372036854775807")
                                           : std::to_string(static_cast<std::int64_t>(one.rows * share) + 1);
    limit_statement();
    on_.query(Sql("SELECT count(*) FROM (SELECT {} FROM ONLY {} ORDER BY 1 LIMIT $1::bigint) AS read",
                  Identifier(one.column), one.table),
              {rows}, bounded());
    count(blocks);
    return true;
  }

  Connection& on_;
  WarmLimits limits_;
  Deadline until_;
  std::optional<QualifiedName> prewarm_;
  std::int64_t left_ = 0;  // blocks
  WarmReport report_;
};

}  // namespace

std::string WarmReport::describe() const {
  return how_many(tables, "table", "tables") + " and " + how_many(indexes, "index", "indexes") + ", " +
         mib_text(bytes) + ", read into its cache in " + std::to_string(took.count()) + " ms" +
         (by_extension ? " with pg_prewarm" : "") + (cut_short.empty() ? "" : " (not all: " + cut_short + ")");
}

std::vector<HotRelation> hot_relations(Connection& on, int most, Deadline deadline) {
  const auto result = on.query(Sql(R"(
    SELECT nspname, table_name, index_name, uses FROM (
      SELECT schemaname AS nspname, relname AS table_name, '' AS index_name,
             coalesce(seq_scan, 0) + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd + n_tup_del AS uses
      FROM pg_stat_user_tables
      UNION ALL
      SELECT schemaname, relname, indexrelname, idx_scan FROM pg_stat_user_indexes) AS used
    WHERE uses > 0 AND nspname <> 'verdigris'
    ORDER BY uses DESC, nspname, table_name, index_name LIMIT $1::bigint)"),
                               {std::to_string(most)}, deadline);
  std::vector<HotRelation> out;
  for (const auto& row : result.rows(4))
    out.push_back({QualifiedName(row.text(0), row.text(1)), row.text(2), row.integer(3)});
  return out;
}

WarmReport warm(Connection& on, const std::vector<HotRelation>& relations, const WarmLimits& limits) {
  return Warming(on, limits).run(relations);
}

}  // namespace verdigris
