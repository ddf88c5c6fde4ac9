#include "healthcheck/questions.hpp"

#include <algorithm>
#include <cctype>

namespace verdigris::questions {
namespace {

struct Locale {
  std::string encoding;
  std::string name;  // provider, collation and character type
};

// "C.UTF-8" and "C.utf8" are one locale.
std::string plain(std::string name) {
  std::erase(name, '-');
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

// The columns of providers came in 15 and were renamed in 17.
Locale locale_of(Server& server, Deadline deadline) {
  const Result answer = server.control().query(Sql(R"(
    SELECT pg_encoding_to_char(encoding),
           concat_ws(' ', CASE coalesce(to_jsonb(d)->>'datlocprovider', 'c') WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin'
                          ELSE 'libc' END,
                     datcollate, datctype, coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale'))
    FROM pg_database d WHERE datname = current_database())"),
                                               deadline);
  const Row row = answer.one_row(2);
  return {row.text(0), row.text(1)};
}

}  // namespace

Findings encoding(const CheckContext& context) {
  const std::string id = "schema.encoding";
  const Locale blue = locale_of(context.source, context.deadline);
  const Locale green = locale_of(context.target, context.deadline);
  const std::string both =
      "blue " + blue.encoding + " (" + blue.name + "), green " + green.encoding + " (" + green.name + ")";
  if (blue.encoding != green.encoding && (blue.encoding == "SQL_ASCII" || green.encoding == "SQL_ASCII"))
    return {fail(id, both + ": SQL_ASCII holds bytes that no other encoding takes",
                 "Create green's database with the encoding of blue's.")};
  if (blue.encoding != green.encoding || plain(blue.name) != plain(green.name))
    return {warn(id, both, "Create green's database with the same encoding and locale, unless the change is meant.")};
  return {pass(id, both)};
}

}  // namespace verdigris::questions
