// The expression that turns a row into 64 bits, equal on two servers exactly when the row is the same text in all
// shared columns (but for 2^-64, and 2^-32 for a changed timestamp). Hashes of equality would lose signs, scales, -0
// and null against empty (parity.md section 5), so whatever has no hash that sees everything is hashed by its text.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "replication/catalog.hpp"
#include "replication/sql.hpp"

namespace verdigris {

// How a column is hashed; each but by_text needs both servers to agree on it (probe.hpp).
enum class HashKind {
  int4,
  int8,
  oid,
  character,
  timestamp,
  timestamptz,
  time,
  timetz,
  uuid,
  inet,
  macaddr,
  date,
  bytea,
  xml,  // by its text, too, but as it is printed
  by_text,
};

// What both servers were found to agree on.
struct HashAgreement {
  std::set<HashKind> typed;               // kinds whose hashes are equal on both
  bool has_text_hash = true;              // hashtextextended is equal on both; else sha256 of the text
  bool has_same_encoding = true;          // else text is hashed as UTF-8 bytes
  std::set<unsigned> incomparable_types;  // oids of types whose text differs: their columns are not covered
};

struct SharedColumn {
  Identifier name;
  HashKind kind;
};

HashKind hash_kind(unsigned type_oid);
// For a pair of columns of one name: the kind that hashes both alike, which for a widening (int4 to int8, varchar to
// text) is that of the wider type. Nothing if their types have no common form.
std::optional<HashKind> common_hash_kind(const Column& source, const Column& target);
// int8, never null. Columns are told apart by their position in the list, not by attnum, which dropped columns shift.
Sql row_hash(const std::vector<SharedColumn>& columns, const HashAgreement& agreement);
// The same, column by column, in their order: what their XOR is made of.
std::vector<Sql> column_hashes(const std::vector<SharedColumn>& columns, const HashAgreement& agreement);

}  // namespace verdigris
