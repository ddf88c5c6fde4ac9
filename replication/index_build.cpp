#include "replication/index_build.hpp"

#include <algorithm>
#include <string_view>

namespace verdigris {
namespace {

// Reads SQL as pg_dump writes it with --quote-all-identifiers.
class QuotedSql {
 public:
  explicit QuotedSql(std::string_view text) : rest_(text) {}
  bool skip(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size())); }
  std::optional<std::string> identifier() {
    if (!skip("\"")) return std::nullopt;
    std::string name;
    while (!rest_.empty()) {
      const char c = rest_[0];
      rest_.remove_prefix(1);
      if (c != '"') {
        name += c;
      } else if (!skip("\"")) {
        return name;
      } else {
        name += '"';
      }
    }
    return std::nullopt;
  }
  std::optional<QualifiedName> qualified() {
    auto schema = identifier();
    if (!schema || !skip(".")) return std::nullopt;
    auto name = identifier();
    if (!name) return std::nullopt;
    return QualifiedName(std::move(*schema), std::move(*name));
  }

 private:
  std::string_view rest_;
};

// CREATE [UNIQUE] INDEX "name" ON [ONLY] "schema"."table" USING ...
bool read_index(QuotedSql sql, IndexBuild& build) {
  if (!sql.skip("CREATE ")) return false;
  sql.skip("UNIQUE ");
  if (!sql.skip("INDEX ")) return false;
  const auto name = sql.identifier();
  if (!name || !sql.skip(" ON ")) return false;
  sql.skip("ONLY ");
  build.table = sql.qualified();
  build.name = *name;
  return build.table.has_value();
}

// ALTER TABLE [ONLY] "schema"."table" ADD CONSTRAINT "name" ...
bool read_constraint(QuotedSql sql, IndexBuild& build) {
  if (!sql.skip("ALTER TABLE ")) return false;
  sql.skip("ONLY ");
  const auto table = sql.qualified();
  sql.skip_blanks();
  if (!table || !sql.skip("ADD CONSTRAINT ")) return false;
  const auto name = sql.identifier();
  if (!name) return false;
  build.table = table;
  build.name = *name;
  build.is_constraint = true;
  return true;
}

}  // namespace

IndexBuild read_build(const std::string& statement) {
  IndexBuild build;
  build.text = statement;
  if (!read_index(QuotedSql(statement), build) && !read_constraint(QuotedSql(statement), build)) return build;
  // Behind the first statement come ALTER TABLE ... CLUSTER ON, REPLICA IDENTITY: a lock that others' builds exclude.
  build.is_exclusive = build.is_constraint || statement.find(";\n") != std::string::npos;
  return build;
}

int build_memory_mb(const IndexBuild& build) {
  constexpr std::int64_t kLeast = 64, kMost = 512, kOthers = 256, kBytesPerMegabyte = 128 << 20;
  const bool is_btree = build.text.find(" USING btree ") != std::string::npos ||
                        (build.is_constraint && build.text.find(" EXCLUDE ") == std::string::npos);
  return static_cast<int>(std::clamp(build.table_bytes / kBytesPerMegabyte, is_btree ? kLeast : kOthers, kMost));
}

}  // namespace verdigris
