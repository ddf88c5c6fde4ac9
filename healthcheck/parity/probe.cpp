#include "healthcheck/parity/probe.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace verdigris {
namespace {

// Values of one type: bounds, signs, null, infinities that every major knows, bytes beyond ASCII.
struct Samples {
  unsigned type_oid;
  Sql array;  // of that type
};

std::vector<Samples> samples(bool has_utf8) {
  const Literal word(has_utf8 ? "Gr\u00F6\u00DFe \U0001F600" : "word");
  return {
      {16, Sql("ARRAY[true, false, null]::bool[]")},
      {17, Sql(R"(ARRAY['', '\x00ff10', null]::bytea[])")},
      {18, Sql(R"(ARRAY['', 'a', null]::"char"[])")},
      {19, Sql("ARRAY['a', {}]::name[]", word)},
      {20, Sql("ARRAY[0, 1, -1, 4294967296, 9223372036854775807, -9223372036854775808, null]::int8[]")},
      {21, Sql("ARRAY[0, -1, 32767]::int2[]")},
      {23, Sql("ARRAY[0, 1, -1, 2147483647, -2147483648, null]::int4[]")},
      {25, Sql("ARRAY['', ' ', 'abc ', {}, null]::text[]", word)},
      {26, Sql("ARRAY[0, 4294967295]::oid[]")},
      {114, Sql(R"(ARRAY['{"b": 1.0,  "a": null}']::json[])")},
      {600, Sql("ARRAY['(1,-2.5)']::point[]")},
      {603, Sql("ARRAY['(1,1),(0,0)']::box[]")},
      {650, Sql("ARRAY['10.0.0.0/8', '2001:db8::/32', null]::cidr[]")},
      {700, Sql("ARRAY['-0', 'NaN', 'Infinity', '1.1', '1e-38']::float4[]")},
      {701, Sql("ARRAY['-0', 'NaN', '-Infinity', '0.1', '1e-307']::float8[]")},
      {718, Sql("ARRAY['<(1,2),3>']::circle[]")},
      {774, Sql("ARRAY['08:00:2b:01:02:03:04:05']::macaddr8[]")},
      {790, Sql("ARRAY['-12.34', '0']::money[]")},
      {829, Sql("ARRAY['08:00:2b:01:02:03', null]::macaddr[]")},
      {869, Sql("ARRAY['10.1.2.3/8', '10.1.2.3', '::1', null]::inet[]")},
      {1042, Sql("ARRAY['a  ', {}, null]::bpchar[]", word)},
      {1043, Sql("ARRAY['', 'a ', null]::varchar[]")},
      {1082, Sql("ARRAY['2000-01-01', '0044-03-15 BC', 'infinity', null]::date[]")},
      {1083, Sql("ARRAY['00:00', '24:00', '12:34:56.789012', null]::time[]")},
      {1114, Sql("ARRAY['2000-01-01', '1999-12-31 23:59:59.999999', '-infinity', null]::timestamp[]")},
      {1184, Sql("ARRAY['2000-01-01 00:00+00', 'infinity', '0044-03-15 00:00+00 BC', null]::timestamptz[]")},
      {1186, Sql("ARRAY['24:00:00', '1 day', '-1 mon +2 days', '1 year -00:00:00.000001']::interval[]")},
      {1266, Sql("ARRAY['12:00+02', '12:00-03:30', null]::timetz[]")},
      {1560, Sql("ARRAY[B'101']::bit(3)[]")},
      {1562, Sql("ARRAY[B'', B'1']::varbit[]")},
      {1700, Sql("ARRAY['1.0', '1.00', '-1', 'NaN', '1e40', '0.00000000000000000001']::numeric[]")},
      {2950, Sql("ARRAY['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', null]::uuid[]")},
      {3614, Sql("ARRAY['''it'':1A fat:2']::tsvector[]")},
      {3615, Sql("ARRAY['fat & !rat']::tsquery[]")},
      {3802, Sql(R"(ARRAY['{"b": 1.0, "a": [null, -0.5e3]}']::jsonb[])")},
      {3904, Sql("ARRAY['[1,5)', 'empty']::int4range[]")},
      {3906, Sql("ARRAY['[1.0,2.00]']::numrange[]")},
      {3910, Sql("ARRAY['[2000-01-01 00:00+00,)']::tstzrange[]")},
      {1007, Sql("ARRAY[1, null]")},  // int4[]: how an array is printed
      {1009, Sql(R"(ARRAY['a"b', 'null', ''])")},
  };
}

// "type, hash of all values in order, text of all values"; the hash only where the type has one of its own.
Sql probe_statement(const std::vector<Samples>& types, const HashAgreement& everything) {
  const Identifier value("v");
  std::vector<Sql> lines;
  for (const auto& type : types) {
    const Sql hash = row_hash({{value, hash_kind(type.type_oid)}}, everything);
    lines.push_back(Sql(
        R"(SELECT {}::int, (SELECT string_agg(({})::text, ',' ORDER BY n)
                             FROM (SELECT s[n] AS v, n FROM generate_subscripts(s, 1) AS n) AS each), s::text
           FROM (SELECT {} AS s) AS given)",
        Number(type.type_oid), hash, type.array));
  }
  return Sql::joined(lines, " UNION ALL ");
}

struct Answer {
  std::string hash;
  std::string text;
  bool operator==(const Answer&) const = default;
};

std::map<unsigned, Answer> ask(Connection& on, const Sql& statement, Deadline deadline) {
  std::map<unsigned, Answer> answers;
  const Result result = on.query(statement, deadline);
  for (const auto& row : result.rows(3)) answers[static_cast<unsigned>(row.integer(0))] = {row.text(1), row.text(2)};
  return answers;
}

std::string encoding(Connection& on, Deadline deadline) {
  const Result result = on.query(Sql("SELECT getdatabaseencoding()"), deadline);
  return result.one_row(1).text(0);
}

}  // namespace

HashAgreement probe_hashes(Connection& source, Connection& target, Deadline deadline) {
  const std::string source_encoding = encoding(source, deadline);
  const std::string target_encoding = encoding(target, deadline);
  const auto types = samples(source_encoding == "UTF8" && target_encoding == "UTF8");
  HashAgreement agreement;
  for (const auto& type : types) agreement.typed.insert(hash_kind(type.type_oid));
  const Sql statement = probe_statement(types, agreement);
  const auto ours = ask(source, statement, deadline);
  const auto theirs = ask(target, statement, deadline);

  for (const auto& [type_oid, answer] : ours) {
    const auto& other = theirs.at(type_oid);
    if (answer.text != other.text) agreement.incomparable_types.insert(type_oid);
    if (answer.hash == other.hash) continue;
    const HashKind kind = hash_kind(type_oid);
    agreement.typed.erase(kind);
    if (kind == HashKind::by_text && answer.text == other.text) agreement.has_text_hash = false;
  }
  agreement.has_same_encoding = source_encoding == target_encoding;
  // Its bytes would be hashed in the encoding of each side.
  if (!agreement.has_same_encoding) agreement.typed.erase(HashKind::character);
  return agreement;
}

}  // namespace verdigris
