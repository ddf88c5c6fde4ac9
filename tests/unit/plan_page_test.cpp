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

PlanPage whole_page(const std::string& state) {
  PlanPage result("switch");
  result.say("verdigris switch would do:");
  result.rest_on("playbook", "shop.yaml, sha256 41ac");
  result.add_around("records", {{"blue", "INSERT INTO journal\n  VALUES ($1)", {"shop"}}});
  result.say("     -- clients wait from here --");
  result.add_step({"fence_source", "close blue", state, state == "done" ? "" : "Look for what is done.", {{"blue", "LOCK a"}}});
  result.add_step({"stage_traffic", "lay the file", "to do", "", {{.on = "pooler a", .text = "-x\n+y\n", .is_diff = true}}});
  result.say("digest sha256 " + result.digest());
  return result;
}

TEST(PlanPage, IsMadeAgainFromItsDocument) {
  const auto page = whole_page("done");
  const Json document{{"schema", "verdigris.plan/1"}, {"command", "switch"}, {"basis", page.basis()},
                      {"records", page.around().at("records")}, {"steps", page.steps()}};
  const auto again = PlanPage::from_document(Json::parse(document.dump()));
  EXPECT_EQ(again.digest(), page.digest());
  EXPECT_EQ(without_state(again.lines()), without_state(page.lines()));
  EXPECT_THROW(PlanPage::from_document(Json::object()), Json::exception);
}

TEST(PlanPage, LinesWithoutStateAreTheSameHoweverThingsStand) {
  const auto lines = without_state(whole_page("done").lines());
  EXPECT_EQ(lines, without_state(whole_page("to do").lines()));
  EXPECT_EQ(lines, without_state(whole_page("blocked: by a transaction, to do something else is done").lines()));
  EXPECT_EQ(lines.front(), "     rests on playbook: shop.yaml, sha256 41ac");
  ASSERT_EQ(lines.size(), 10U);
  EXPECT_EQ(lines[5], "  1  fence_source             close blue");
  EXPECT_EQ(lines[9], "                  +y");
}

TEST(PlanPage, WhatItRestsOnIsInItsDigest) {
  PlanPage a("switch"), b("switch");
  a.rest_on("playbook", "sha256 41");
  b.rest_on("playbook", "sha256 42");
  EXPECT_NE(a.digest(), b.digest());
  EXPECT_NE(PlanPage("switch").digest(), PlanPage("prepare").digest());
}

}  // namespace
}  // namespace verdigris
