#include "replication/result.hpp"

#include <charconv>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

template <class T>
T parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    throw Error("unexpected-value", "\"" + std::string(text) + "\" is not a number");
  return value;
}

}  // namespace

std::string_view Row::view(int column) const {
  if (is_null(column))
    throw Error("unexpected-null", std::string("column \"") + PQfname(result_, column) + "\" is null");
  return {PQgetvalue(result_, row_, column), static_cast<std::size_t>(PQgetlength(result_, row_, column))};
}

std::string Row::text(int column) const { return std::string(view(column)); }

std::optional<std::string> Row::text_or_null(int column) const {
  if (is_null(column)) return std::nullopt;
  return text(column);
}

std::int64_t Row::integer(int column) const { return parse_number<std::int64_t>(view(column)); }

double Row::real(int column) const { return parse_number<double>(view(column)); }

bool Row::boolean(int column) const { return view(column) == "t"; }

Lsn Row::lsn(int column) const { return Lsn::parse(view(column)); }

std::optional<Lsn> Row::lsn_or_null(int column) const {
  if (is_null(column)) return std::nullopt;
  return lsn(column);
}

void Result::expect_columns(int columns) const {
  if (PQnfields(result_.get()) != columns)
    throw Error("unexpected-shape", "the answer has " + std::to_string(PQnfields(result_.get())) + " columns, expected " +
                                        std::to_string(columns));
}

std::vector<Row> Result::rows(int columns) const {
  expect_columns(columns);
  std::vector<Row> out;
  const int count = PQntuples(result_.get());
  out.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) out.emplace_back(result_.get(), i);
  return out;
}

Row Result::one_row(int columns) const {
  const auto row = at_most_one_row(columns);
  if (!row) throw Error("unexpected-shape", "the answer has no row, expected one");
  return *row;
}

std::optional<Row> Result::at_most_one_row(int columns) const {
  expect_columns(columns);
  const int count = PQntuples(result_.get());
  if (count > 1) throw Error("unexpected-shape", "the answer has " + std::to_string(count) + " rows, expected one");
  if (count == 0) return std::nullopt;
  return Row(result_.get(), 0);
}

std::int64_t Result::affected_rows() const {
  const std::string_view text = PQcmdTuples(result_.get());
  return text.empty() ? 0 : parse_number<std::int64_t>(text);
}

}  // namespace verdigris
