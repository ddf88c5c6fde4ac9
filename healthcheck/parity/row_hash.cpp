#include "healthcheck/parity/row_hash.hpp"

#include <algorithm>
#include <map>
#include <optional>

namespace verdigris {
namespace {

// pg_type.dat: the oids of built-in types never change.
const std::map<unsigned, HashKind>& kinds_by_oid() {
  static const std::map<unsigned, HashKind> kinds = {
      {16, HashKind::int4},  // bool
      {18, HashKind::int4},  // "char": its text above 127 changed in 15, its number did not
      {17, HashKind::bytea},         {20, HashKind::int8},     {21, HashKind::int4},   // int2
      {23, HashKind::int4},          {26, HashKind::oid},      {142, HashKind::xml},     {650, HashKind::inet},  // cidr
      {829, HashKind::macaddr},      {869, HashKind::inet},    {1042, HashKind::character},
      {1082, HashKind::date},        {1083, HashKind::time},   {1114, HashKind::timestamp},
      {1184, HashKind::timestamptz}, {1266, HashKind::timetz}, {2950, HashKind::uuid},
  };
  return kinds;
}

// 1 for smallint up to 3 for bigint; 0 for what is no integer.
int integer_width(const Column& column) {
  if (column.type == "smallint") return 1;
  if (column.type == "integer") return 2;
  return column.type == "bigint" ? 3 : 0;
}

bool is_varying_text(const Column& column) {
  return column.type == "text" || column.type.starts_with("character varying");
}

// "numeric(10,2)" -> "2": a wider precision keeps the text, another scale does not. Empty without a scale.
std::string numeric_scale(const Column& column) {
  const auto comma = column.type.find(',');
  return column.type.starts_with("numeric(") && comma != std::string::npos ? column.type.substr(comma) : std::string{};
}

// A constant for null that no other column uses; any odd multiplier spreads the positions over 64 bits.
Sql null_hash(std::int64_t position) {
  const auto spread = static_cast<std::int64_t>(static_cast<std::uint64_t>(position) * 0x9E3779B97F4A7C15U);
  return Sql("{}::int8", Literal(std::to_string(spread)));
}

Sql text_hash(const Sql& text, const Number& seed, const HashAgreement& agreement) {
  if (!agreement.has_text_hash)
    return Sql("('x' || left(encode(sha256(convert_to({} || {}, 'UTF8')), 'hex'), 16))::bit(64)::int8", text,
               Literal("/" + seed.sql()));
  if (!agreement.has_same_encoding)
    return Sql("hash_array_extended(ARRAY[convert_to({}, 'UTF8')], {})", text, seed);
  return Sql(R"(hashtextextended({} COLLATE "C", {}))", text, seed);
}

// The encoding that a document declares is in the cast to text, and neither printed nor sent: it says nothing of a value
// that has been converted.
Sql xml_hash(const Identifier& column, const Number& seed, const HashAgreement& agreement) {
  return Sql("CASE WHEN {} IS NOT NULL THEN {} END", column,
             text_hash(Sql("format('%s', {})", column), seed, agreement));
}

Sql typed_hash(const Identifier& column, HashKind kind, const Number& seed, const Number& far_seed) {
  switch (kind) {
    case HashKind::int4:
      return Sql("hashint4extended({}::int4, {})", column, seed);
    // The second half, because hashint8extended folds the halves: 1 and 4294967296 are equal under every seed.
    case HashKind::int8:
      return Sql("(hashint8extended({}::int8, {}) # hashint8extended({}::int8 >> 32, {}))", column, seed, column,
                 far_seed);
    case HashKind::oid:
      return Sql("hashoidextended({}, {})", column, seed);
    // The length, because trailing blanks of an unbounded bpchar are stored but not hashed.
    case HashKind::character:
      return Sql(R"((hashbpcharextended({} COLLATE "C", {}) # hashint4extended(octet_length({}), {})))", column, seed,
                 column, far_seed);
    case HashKind::timestamp:
      return Sql("timestamp_hash_extended({}, {})", column, seed);
    case HashKind::timestamptz:
      return Sql("timestamp_hash_extended({} AT TIME ZONE 'UTC', {})", column, seed);
    case HashKind::time:
      return Sql("time_hash_extended({}, {})", column, seed);
    case HashKind::timetz:
      return Sql("timetz_hash_extended({}, {})", column, seed);
    case HashKind::uuid:
      return Sql("uuid_hash_extended({}, {})", column, seed);
    case HashKind::inet:
      return Sql("hashinetextended({}, {})", column, seed);
    case HashKind::macaddr:
      return Sql("hashmacaddrextended({}, {})", column, seed);
    case HashKind::date:
    case HashKind::bytea:
    case HashKind::xml:
    case HashKind::by_text:
      break;
  }
  // date and bytea have no hash function of their own below 18. A null must not become the hash of an array.
  return Sql("CASE WHEN {} IS NOT NULL THEN hash_array_extended(ARRAY[{}], {}) END", column, column, seed);
}

Sql column_hash(const SharedColumn& column, std::int64_t position, const HashAgreement& agreement) {
  constexpr std::int64_t kFar = 10000;  // beyond 1,600 columns
  const bool is_typed = column.kind != HashKind::by_text && agreement.typed.contains(column.kind);
  const Number seed(position);
  const Sql hash = column.kind == HashKind::xml ? xml_hash(column.name, seed, agreement)
                   : is_typed                   ? typed_hash(column.name, column.kind, seed, Number(position + kFar))
                                                : text_hash(Sql("{}::text", column.name), seed, agreement);
  return Sql("coalesce({}, {})", hash, null_hash(position));
}

}  // namespace

HashKind hash_kind(unsigned type_oid) {
  const auto found = kinds_by_oid().find(type_oid);
  return found == kinds_by_oid().end() ? HashKind::by_text : found->second;
}

std::optional<HashKind> common_hash_kind(const Column& source, const Column& target) {
  if (source.type == target.type) return hash_kind(source.type_oid);
  if (integer_width(source) > 0 && integer_width(target) > 0)
    return std::max(integer_width(source), integer_width(target)) == 3 ? HashKind::int8 : HashKind::int4;
  if (is_varying_text(source) && is_varying_text(target)) return HashKind::by_text;
  if (!numeric_scale(source).empty() && numeric_scale(source) == numeric_scale(target)) return HashKind::by_text;
  return std::nullopt;
}

std::vector<Sql> column_hashes(const std::vector<SharedColumn>& columns, const HashAgreement& agreement) {
  std::vector<Sql> hashes;
  std::int64_t position = 0;
  for (const auto& column : columns) hashes.push_back(column_hash(column, ++position, agreement));
  return hashes;
}

Sql row_hash(const std::vector<SharedColumn>& columns, const HashAgreement& agreement) {
  if (columns.empty()) return Sql("0::int8");
  return Sql::joined(column_hashes(columns, agreement), " # ");
}

}  // namespace verdigris
