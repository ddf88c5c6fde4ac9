// What a statement returned. A caller states the shape it expects (columns, and often one row), so that an answer of
// another shape is an error here and not a wrong value later. Owns the PGresult; a Row is valid as long as its Result.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "replication/lsn.hpp"

namespace verdigris {

// Columns count from 0. A getter other than is_null() and *_or_null throws Error("unexpected-null") on NULL.
class Row {
 public:
  Row(const PGresult* result, int row) : result_(result), row_(row) {}
  bool is_null(int column) const { return PQgetisnull(result_, row_, column) == 1; }
  std::string text(int column) const;
  std::optional<std::string> text_or_null(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  bool boolean(int column) const;
  Lsn lsn(int column) const;
  std::optional<Lsn> lsn_or_null(int column) const;

 private:
  std::string_view view(int column) const;
  const PGresult* result_;
  int row_;
};

class Result {
 public:
  explicit Result(PGresult* owned) : result_(owned, &PQclear) {}

  // Throws Error("unexpected-shape") if the answer has other columns, or not the stated number of rows.
  std::vector<Row> rows(int columns) const;
  Row one_row(int columns) const;
  std::optional<Row> at_most_one_row(int columns) const;

  std::string command_tag() const { return PQcmdStatus(result_.get()); }
  std::int64_t affected_rows() const;
  // For relays (COPY, console replies with columns by name).
  PGresult* native() const { return result_.get(); }

 private:
  void expect_columns(int columns) const;
  std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

}  // namespace verdigris
