#include "replication/sql.hpp"

#include <gtest/gtest.h>

#include "replication/conninfo.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

static_assert(!std::is_constructible_v<Sql, std::string>, "SQL text is a literal in the source");
static_assert(!std::is_constructible_v<Sql, const char (&)[3], std::string>, "raw strings never reach the server");

TEST(SqlText, QuotesNamesAndValues) {
  EXPECT_EQ(Sql("SELECT {} FROM {}", Identifier("Sel\"ect"), QualifiedName("public", "x; DROP TABLE y")).text(),
            R"(SELECT "Sel""ect" FROM "public"."x; DROP TABLE y")");
  EXPECT_EQ(Sql("SELECT {}", Literal("it's")).text(), "SELECT 'it''s'");
  EXPECT_EQ(Sql("SELECT {}", Literal("a\\'b")).text(), "SELECT  E'a\\\\''b'");
}

TEST(SqlText, JoinsPartsInOrder) {
  EXPECT_EQ(Sql::joined(std::vector<Identifier>{Identifier("a"), Identifier("b")}, ", ").text(), R"("a", "b")");
}

TEST(SqlText, RefusesWhatCannotBeAName) {
  EXPECT_THROW(Identifier(""), Error);
  EXPECT_THROW(Identifier(std::string(64, 'x')), Error) << "PostgreSQL would cut it silently";
  EXPECT_THROW(Identifier(std::string("a\0b", 3)), Error);
  EXPECT_NO_THROW(Identifier(std::string(63, 'x')));
}

TEST(Position, IsReadAndWrittenAsPostgresDoes) {
  EXPECT_EQ(Lsn::parse("16/B374D848").text(), "16/B374D848");
  EXPECT_EQ(Lsn::parse("0/0").value(), 0U);
  EXPECT_EQ((Lsn::parse("1/0") - Lsn::parse("0/FFFFFFFF")).count, 1);
  for (const char* wrong : {"", "/", "1", "1/", "g/1", "1/123456789"}) EXPECT_THROW(Lsn::parse(wrong), Error) << wrong;
}

TEST(ConnectionString, HoldsNoPassword) {
  EXPECT_THROW(Conninfo::parse("host=a password=secret"), Error);
  EXPECT_THROW(Conninfo::parse("postgresql://u:secret@host/db"), Error);
  EXPECT_THROW(Conninfo::parse("nonsense"), Error);
  const auto parsed = Conninfo::parse("host='a b' dbname=d").with("user", "o'h\\");
  EXPECT_EQ(Conninfo::parse(parsed.text()).values(), parsed.values());
}

}  // namespace
}  // namespace verdigris
