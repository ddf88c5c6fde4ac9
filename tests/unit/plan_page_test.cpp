// What `plan` shows of files and statements: no password, no indentation of our source, and a digest that holds still.
#include "controller/plan_page.hpp"

#include <gtest/gtest.h>

#include "controller/unified_diff.hpp"

namespace verdigris {
namespace {

TEST(UnifiedDiff, ShowsEachLineThatDiffers) {
  EXPECT_EQ(unified_diff("a.ini", "x = 1\ny = 2\nz = 3\n", "x = 1\ny = 4\nz = 5\n"),
            "--- a.ini\n+++ a.ini\n@@ -2,2 +2,2 @@\n-y = 2\n-z = 3\n+y = 4\n+z = 5\n");
  EXPECT_EQ(unified_diff("a.ini", "x = 1\n", "x = 1\n"), "");
  EXPECT_EQ(unified_diff("a.ini", "x = 1\n", "x = 1\ny = 2\n"), "--- a.ini\n+++ a.ini\n@@ -1,0 +2 @@\n+y = 2\n");
  EXPECT_EQ(unified_diff("a.ini", "", "x = 1\n"), "--- a.ini\n+++ a.ini\n@@ -0,0 +1 @@\n+x = 1\n");
  EXPECT_EQ(unified_diff("a.ini", "a\nb\nc\nd\n", "a\nc\nd\ne\n"),
            "--- a.ini\n+++ a.ini\n@@ -2 +1,0 @@\n-b\n@@ -4,0 +4 @@\n+e\n");
}

TEST(UnifiedDiff, BlotsOutPasswordsHoweverTheyAreWritten) {
  for (const char* value : {"secret", "'secret'", "'sec''ret secret'", "'secret", " 'secret secret'"}) {
    const std::string line = std::string("shop = host=db1 PassWord=") + value;
    const std::string shown = without_passwords(line);
    EXPECT_EQ(shown.find("ret"), std::string::npos) << shown;
    EXPECT_NE(shown.find("host=db1"), std::string::npos) << shown;
    EXPECT_NE(shown.find("***"), std::string::npos) << shown;
  }
  EXPECT_EQ(without_passwords("shop = password = secret user=app password='two' port=1"), "shop = password = *** user=app password=*** port=1");
  EXPECT_EQ(without_passwords("; the password is elsewhere"), "; the password is elsewhere");
  EXPECT_EQ(unified_diff("f", "a password=one\n", "b password=two\n"), "--- f\n+++ f\n@@ -1 +1 @@\n-a password=***\n+b password=***\n");
}

TEST(PlanPage, MovesStatementsToTheLeft) {
  EXPECT_EQ(dedented("\n    SELECT 1\n      FROM t;\n\n    SELECT 2"), (std::vector<std::string>{"SELECT 1", "  FROM t;", "SELECT 2"}));
  EXPECT_EQ(dedented("SET x; \n    CREATE\n    LOCK"), (std::vector<std::string>{"SET x; ", "CREATE", "LOCK"}));
  EXPECT_EQ(dedented("RELOAD"), std::vector<std::string>{"RELOAD"});
}

PlanPage page(const std::string& state, const std::string& sql) {
  PlanPage result("switch");
  result.add_step({"fence_source", "close blue", state, "", {{"blue", sql, {"shop"}}}});
  return result;
}

TEST(PlanPage, DigestIsOfWhatWouldBeDoneAndNotOfHowThingsStand) {
  EXPECT_EQ(page("to do", "LOCK a").digest(), page("done", "LOCK a").digest());
  EXPECT_NE(page("to do", "LOCK a").digest(), page("to do", "LOCK b").digest());
  EXPECT_EQ(page("to do", "LOCK a").digest().size(), 64U);
  EXPECT_TRUE(page("to do", "").is_anything_to_do());
  EXPECT_FALSE(page("done", "").is_anything_to_do());
}

}  // namespace
}  // namespace verdigris
