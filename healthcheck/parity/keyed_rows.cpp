#include "healthcheck/parity/keyed_rows.hpp"

#include <algorithm>

#include "healthcheck/parity/sessions.hpp"

namespace verdigris {
namespace {

constexpr std::size_t kKeysOfAQuestion = 1000;

// Names that no column has, so that those of the table mean its own.
Identifier wanted_column(std::size_t place) { return Identifier("verdigris key " + std::to_string(place)); }

struct WantedKeys {
  Sql arrays;   // $1::int8[], $2::text[]
  Sql names;
  Sql is_key;   // "row"."id" = "verdigris key 0" AND ...
  Params params;
};

WantedKeys wanted_keys(const ComparedTable& table, Side side, std::span<const RowKey> keys) {
  std::vector<Sql> arrays, names, equalities;
  Params params;
  for (std::size_t place = 0; place < table.key.size(); ++place) {
    const auto& column = table.key[place];
    arrays.push_back(Sql("${}::{}[]", Number(static_cast<std::int64_t>(place) + 1),
                         Sql::type_name(side == Side::source ? column.source_type : column.target_type)));
    names.push_back(Sql("{}", wanted_column(place)));
    equalities.push_back(Sql(R"("verdigris row".{} = {})", column.column.name, wanted_column(place)));
    std::vector<std::string> values;
    values.reserve(keys.size());
    for (const auto& key : keys) values.push_back(key[place]);
    params.emplace_back(text_array(values));
  }
  return {Sql::joined(arrays, ", "), Sql::joined(names, ", "), Sql::joined(equalities, " AND "), std::move(params)};
}

Sql key_texts(const ComparedTable& table) {
  std::vector<Sql> texts;
  for (const auto& column : table.key) texts.push_back(Sql(R"("verdigris row".{}::text)", column.column.name));
  return Sql::joined(texts, ", ");
}

Sql image(const ComparedTable& table, const HashAgreement& hashes, ImageOf what) {
  if (what == ImageOf::row) return Sql("({})::text", row_hash(table.columns, hashes));
  return Sql("ARRAY[{}]::int8[]::text", Sql::joined(column_hashes(table.columns, hashes), ", "));
}

}  // namespace

Connection open_key_session(const Server& server, bool is_read_only, Deadline deadline) {
  return open_parity_session(server, "parity keys", is_read_only,
                             {{"enable_seqscan", "off"}, {"enable_hashjoin", "off"}, {"enable_mergejoin", "off"}}, deadline);
}

KeyQuestion question_by_key(const ComparedTable& table, Side side, const HashAgreement& hashes,
                            std::span<const RowKey> keys, ImageOf what, RowLock lock) {
  auto wanted = wanted_keys(table, side, keys);
  return {Sql(R"(SELECT {}, {} FROM unnest({}) AS "verdigris keys" ({}) JOIN ONLY {} AS "verdigris row" ON {}{})",
              key_texts(table), image(table, hashes, what), wanted.arrays, wanted.names, table.name, wanted.is_key,
              lock == RowLock::share ? Sql(R"( FOR SHARE OF "verdigris row")") : Sql("")),
          std::move(wanted.params)};
}

RowImages images_of(const Result& answer, const ComparedTable& table) {
  const int columns = static_cast<int>(table.key.size());
  RowImages images;
  for (const auto& row : answer.rows(columns + 1)) {
    RowKey key;
    for (int i = 0; i < columns; ++i) key.push_back(row.text(i));
    images.emplace(std::move(key), row.text(columns));
  }
  return images;
}

RowImages read_rows(Connection& on, const ComparedTable& table, Side side, const HashAgreement& hashes,
                    std::span<const RowKey> keys, Deadline deadline, ImageOf what, RowLock lock) {
  RowImages images;
  while (!keys.empty()) {
    const auto portion = keys.first(std::min(keys.size(), kKeysOfAQuestion));
    keys = keys.subspan(portion.size());
    const auto question = question_by_key(table, side, hashes, portion, what, lock);
    images.merge(images_of(on.query(question.statement, question.params, deadline), table));
  }
  return images;
}

std::vector<std::optional<std::string>> read_values(Connection& on, const ComparedTable& table, Side side,
                                                    const RowKey& key, const std::vector<std::size_t>& columns,
                                                    Deadline deadline) {
  if (columns.empty()) return {};
  std::vector<Sql> texts;
  for (const auto column : columns) texts.push_back(Sql(R"("verdigris row".{}::text)", table.columns[column].name));
  auto wanted = wanted_keys(table, side, {&key, 1});
  // As rows: a list of results has less room than a table has columns.
  const Result answer = on.query(
      Sql(R"(SELECT "verdigris value" FROM unnest({}) AS "verdigris keys" ({}) JOIN ONLY {} AS "verdigris row" ON {},
                   unnest(ARRAY[{}]) WITH ORDINALITY AS "verdigris values" ("verdigris value", "verdigris place")
             ORDER BY "verdigris place")",
          wanted.arrays, wanted.names, table.name, wanted.is_key, Sql::joined(texts, ", ")),
      wanted.params, deadline);
  std::vector<std::optional<std::string>> values;
  for (const auto& row : answer.rows(1)) values.push_back(row.text_or_null(0));
  return values;
}

}  // namespace verdigris
