#include "controller/migration/files.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "controller/migration/statements.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;

class MigrationFiles : public testing::Test {
 protected:
  MigrationFiles() {
    std::string pattern = (fs::temp_directory_path() / "verdigris-migrations-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
  }
  ~MigrationFiles() override { fs::remove_all(dir_); }

  void write(const std::string& name, const std::string& text) {
    fs::create_directories((dir_ / name).parent_path());
    std::ofstream(dir_ / name, std::ios::binary) << text;
  }
  void write_pair(const std::string& name, const std::string& up) {
    write(name + "/up.sql", up);
    write(name + "/down.sql", "SELECT 1;");
  }
  std::string refusal() {
    try {
      load_migrations(dir_);
    } catch (const Error& error) {
      EXPECT_EQ(error.id(), "migration.files");
      EXPECT_EQ(error.failure(), Failure::usage);
      return error.what();
    }
    return "none";
  }

  fs::path dir_;
};

TEST_F(MigrationFiles, AreOrderedByNumberAndKnownByTheirText) {
  write_pair("0010_b", "ALTER TABLE t ADD COLUMN b int;");
  write_pair("0002_a", "SELECT 'x;--';");
  const auto migrations = load_migrations(dir_);
  ASSERT_EQ(migrations.size(), 2U);
  EXPECT_EQ(migrations[0].name, "0002_a");
  EXPECT_EQ(migrations[1].up, "ALTER TABLE t ADD COLUMN b int;");
  EXPECT_EQ(migrations[0].sha256.size(), 64U);
  EXPECT_NE(migrations[0].sha256, migrations[1].sha256);
}

TEST_F(MigrationFiles, AllFaultsOfAFolderAreFoundAtOnce) {
  write_pair("0001_ok", "SELECT 1;");
  write_pair("0001_again", "SELECT 1;");
  write_pair("2_short", "SELECT 1;");
  write("0003_half/up.sql", "SELECT 1;");
  write_pair("0004_binary", std::string("SELECT \0 1;", 11));
  write_pair("0005_latin", "SELECT '\xE4';");
  write_pair("0006_commit", "SELECT 1;\nCOMMIT;");
  const auto text = refusal();
  EXPECT_NE(text.find("0001_ok: has the number of 0001_again"), std::string::npos) << text;
  EXPECT_NE(text.find("2_short: is not a folder named NNNN_name"), std::string::npos) << text;
  EXPECT_NE(text.find("0003_half/down.sql: cannot be read"), std::string::npos) << text;
  EXPECT_NE(text.find("0004_binary/up.sql: is not UTF-8 text"), std::string::npos) << text;
  EXPECT_NE(text.find("0005_latin/up.sql: is not UTF-8 text"), std::string::npos) << text;
  EXPECT_NE(text.find("0006_commit/up.sql: line 2: COMMIT"), std::string::npos) << text;
}

TEST_F(MigrationFiles, MissingFolderIsAFaultOfThePlaybook) {
  fs::remove_all(dir_);
  EXPECT_NE(refusal().find("cannot be read"), std::string::npos);
  fs::create_directories(dir_);
  EXPECT_TRUE(load_migrations(dir_).empty());
}

TEST(MigrationSql, StatementsThatBreakTheTransactionAreRefused) {
  for (const char* sql :
       {"begin;", "  START TRANSACTION", "/* a */ commit", "SELECT 1; END;", "rollback to x", "savepoint a",
        "PREPARE TRANSACTION 'x'", "CREATE INDEX CONCURRENTLY i ON t (a)", "drop index concurrently i", "VACUUM t",
        "CREATE DATABASE d", "ALTER SYSTEM SET a = 1", "COPY t FROM STDIN", "\\i other.sql", "select 1;\n\\gexec"})
    EXPECT_EQ(faults_of_sql(sql).size(), 1U) << sql;
}

TEST(MigrationSql, WordsInsideTextCommentsAndBodiesAreNotStatements) {
  for (const char* sql :
       {"SELECT 'a;COMMIT;'", "SELECT E'it\\'s ;COMMIT;'", "SELECT E'a''b\\';COMMIT;'",
        "SELECT \"a;\"\"COMMIT;\" FROM t", "-- COMMIT;\nSELECT 1",
        "/* COMMIT; /* nested; COMMIT; */ COMMIT; */ SELECT 1", "",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN; COMMIT; END $$",
        "DO $x$ BEGIN PERFORM $$ ;COMMIT; $$; END $x$", "PREPARE p AS SELECT $1; EXECUTE p(1)",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 1",
        "COMMENT ON TABLE t IS 'x'"}) {
    const auto faults = faults_of_sql(sql);
    EXPECT_TRUE(faults.empty()) << sql << ": " << (faults.empty() ? "" : faults.front());
  }
}

TEST(MigrationSql, StatementsKnowTheirLine) {
  const auto statements = statements_of("-- one\nSELECT 'two\nthree';\n\nALTER TABLE t");
  ASSERT_EQ(statements.size(), 2U);
  EXPECT_EQ(statements[0].line, 2);
  EXPECT_EQ(statements[1].line, 5);
  EXPECT_EQ(statements[1].words, (std::vector<std::string>{"ALTER", "TABLE", "T"}));
}

}  // namespace
}  // namespace verdigris
