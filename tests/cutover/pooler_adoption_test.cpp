// The adoption of databases into an included file, on a real PgBouncer with clients that notice everything; the probe that
// ties console, process and file together; and each refusal, with the files as they were.
#include <sys/stat.h>

#include "controller/pgbouncer_probe.hpp"
#include "controller/pgbouncer_survey.hpp"
#include "tests/support/adopted_poolers.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::Clients;
using test::error_of;
using test::read;
using test::replaced;
using test::soon;
using test::write;

class PoolerAdoption : public test::AdoptedPoolers {
 protected:
  // What look() and apply() say, "adopted" if nothing.
  std::string attempt(std::string* text = nullptr, const std::vector<std::string>& aliases = {"shop"}) const {
    const auto id = error_of(
        [&] {
          PgBouncerAdoption adoption(instance(), aliases);
          adoption.look(soon());
          adoption.apply(soon());
        },
        text);
    return id == "accepted" ? "adopted" : id;
  }
  // Refused with this id, and the main file and the process as they were.
  void expect_refused(const std::string& id, const std::vector<std::string>& aliases = {"shop"}) const {
    const std::string before = read(main());
    std::string text;
    EXPECT_EQ(attempt(&text, aliases), id) << text;
    EXPECT_EQ(read(main()), before) << id;
  }
};

TEST_F(PoolerAdoption, ClientsNoticeNothingAndASwitchEditsTheIncludedFileOnly) {
  start();
  Clients clients(everywhere(4));
  ASSERT_TRUE(clients.wait_for("blue", 100));
  const std::string line = read(main()).substr(12, read(main()).find('\n', 12) - 12);
  for (std::size_t i : {0U, 1U}) adopt(i);
  EXPECT_EQ(read(included()), "; managed by verdigris\n[databases]\n" + line + "\n");
  EXPECT_TRUE(read(main()).ends_with("\n%include " + included().string() + "\n"));
  EXPECT_EQ(read(main()).find(line), std::string::npos);
  const std::string main_file = read(main()), as_adopted = read(included());
  PgBouncerTraffic traffic(adopted_settings());
  const std::pair<Endpoint, Endpoint> moves[] = {{blue(), green()}, {green(), blue()}};
  for (const auto& [from, to] : moves) {
    traffic.require_ready(from, 5s, soon());
    traffic.stage(to, soon());
    ASSERT_EQ(traffic.file_changes(to, soon()).size(), 2U);
    EXPECT_NE(traffic.file_changes(to, soon())[0].text.find("+++ " + included().string()), std::string::npos);
    traffic.pause(soon());
    traffic.move(to, soon());
    EXPECT_TRUE(traffic.has_moved(to, soon()));
    ASSERT_TRUE(clients.wait_for(to == green() ? "green" : "blue", 100));
    EXPECT_EQ(read(main()), main_file);
  }
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
  EXPECT_EQ(read(included()), as_adopted);
  struct stat of_main {}, of_included {};
  ASSERT_EQ(::stat(main().c_str(), &of_main), 0);
  ASSERT_EQ(::stat(included().c_str(), &of_included), 0);
  EXPECT_EQ(of_included.st_mode, of_main.st_mode);
  EXPECT_EQ(of_included.st_uid, of_main.st_uid);
}

TEST_F(PoolerAdoption, IsDoneOnce) {
  start();
  adopt();
  const std::string main_file = read(main()), as_adopted = read(included());
  PgBouncerAdoption again(instance(), {"shop"});
  again.look(soon());
  EXPECT_TRUE(again.is_adopted());
  EXPECT_EQ(again.diff(), "");
  again.apply(soon());
  EXPECT_EQ(read(main()), main_file);
  EXPECT_EQ(read(included()), as_adopted);
}

TEST_F(PoolerAdoption, AProcessThatWasKilledAndComesUpReadsTheIncludedFile) {
  start();
  adopt();
  poolers_[0].kill_hard();
  poolers_[0].start();
  Clients clients({poolers_[0].client("app", "shop")});
  EXPECT_TRUE(clients.wait_for("blue", 10));
}

TEST_F(PoolerAdoption, WhatIsNotOneLineOfTheMainFileIsRefused) {
  start();
  const std::string good = read(main());
  const auto theirs = poolers_[0].dir() / "theirs.ini";
  const std::string line = good.substr(12, good.find('\n', 12) - 11);
  write(theirs, "[databases]\n" + line);
  const std::string foreign = "%include " + theirs.string() + "\n";
  const std::pair<std::string, const char*> cases[] = {
      {replaced(good, line, "") + foreign, "pooler.alias-included"},
      {good + foreign, "pooler.alias-twice"},
      {replaced(good, "shop =", "* ="), "pooler.alias-wildcard"},
      {replaced(good, line, line + "%include " + included().string() + "\n"), "pooler.include-unreadable"},
      {replaced(good, "host=" + blue().host, "host=" + green().host), "pooler.target"},
      {replaced(good, "max_client_conn = 200", "max_client_conn = 210"), "pooler.stale-config"},
      {replaced(good, "[pgbouncer]\n", "[pgbouncer]\nno_such_setting = 1\n"), "pooler.unknown-setting"},
  };
  for (const auto& [bytes, id] : cases) {
    write(main(), bytes);
    expect_refused(id);
    write(main(), good);
    console(0).reload(soon());
    EXPECT_FALSE(fs::exists(included())) << id;
  }
  expect_refused("pooler.alias-absent", {"shop", "nothing"});
  console(0).send_pause("shop", soon());
  expect_refused("pooler.paused");
}

TEST_F(PoolerAdoption, AFileOrLinkOfSomebodyElseInItsPlaceIsRefusedAndKept) {
  start();
  fs::create_directory(included().parent_path());
  write(included(), "[databases]\nother = host=x\n");
  expect_refused("pooler.include-exists");
  EXPECT_EQ(read(included()), "[databases]\nother = host=x\n");
  fs::remove(included());
  write(poolers_[0].dir() / "elsewhere.ini", "; managed by verdigris\n");
  fs::create_symlink(poolers_[0].dir() / "elsewhere.ini", included());
  expect_refused("pooler.ini-link");
  fs::remove(included());
  fs::create_symlink("/nowhere", included());
  expect_refused("pooler.file");
  EXPECT_TRUE(fs::is_symlink(included()));
  fs::remove(included());
  EXPECT_EQ(attempt(), "adopted");
}

TEST_F(PoolerAdoption, AWrongProcessOrNoneIsRefused) {
  start();
  auto crossed = instance(0);
  crossed.file = instance(1).file;
  PgBouncerAdoption adoption(crossed, {"shop"});
  EXPECT_EQ(error_of([&] { adoption.look(soon()); }), "pooler.identity");
  poolers_[0].kill_hard();
  expect_refused("pooler.unreachable");
}

// PgBouncer answers RELOAD all the same and runs on with what it had: only the probe tells.
TEST_F(PoolerAdoption, AnIncludedFileThatTheProcessCannotReadIsFoundOutAndAllIsPutBack) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to have a directory that the pooler's user cannot enter";
  start();
  Clients clients({poolers_[0].client("app", "shop")});
  ASSERT_TRUE(clients.wait_for("blue", 20));
  fs::create_directory(included().parent_path());
  fs::permissions(included().parent_path(), fs::perms::owner_all);  // ours
  const std::string before = read(main());
  std::string text;
  EXPECT_EQ(attempt(&text), pgbouncer_version(console(0).version(soon())) >= 12500 ? "pooler.stale-config" : "pooler.include-unread") << text;
  EXPECT_NE(text.find("as they were"), std::string::npos) << text;
  EXPECT_EQ(read(main()), before);
  EXPECT_FALSE(fs::exists(included()));
  ASSERT_TRUE(clients.wait_for("blue", 20));
  clients.stop();
  EXPECT_EQ(clients.errors(), 0);
  EXPECT_EQ(console(0).database("shop", soon()).target, blue());
}

TEST_F(PoolerAdoption, ABrokenIncludedFileIsRefusedBeforeAnybodyWaits) {
  start();
  for (std::size_t i : {0U, 1U}) adopt(i);
  const std::string as_adopted = read(included()), main_file = read(main());
  const auto refused = [&] {
    PgBouncerTraffic traffic(adopted_settings());
    return error_of([&] { traffic.require_ready(blue(), 5s, soon()); });
  };
  EXPECT_EQ(refused(), "accepted");
  EXPECT_EQ(read(included()), as_adopted) << "the probe left something";
  const std::pair<std::string, const char*> cases[] = {
      {replaced(as_adopted, "; managed by verdigris\n", ""), "pooler.include-foreign"},
      {as_adopted + as_adopted, "pooler.alias-twice"},
      {replaced(as_adopted, "port=", "# port="), "pooler.ini-comment"},
      {replaced(as_adopted, blue().host, green().host), "pooler.target"},
      {"; managed by verdigris\n", "pooler.alias-absent"},
  };
  for (const auto& [bytes, id] : cases) {
    write(included(), bytes);
    EXPECT_EQ(refused(), id) << bytes;
    EXPECT_EQ(read(included()), bytes);
    write(included(), as_adopted);
  }
  fs::rename(included(), included().string() + ".gone");
  EXPECT_EQ(refused(), "pooler.include-unreadable");
  fs::rename(included().string() + ".gone", included());
  // What makes the main file has put the line back, and knows nothing of ours.
  write(main(), replaced(main_file, "[databases]\n", "[databases]\n" + as_adopted.substr(as_adopted.find("shop"))));
  EXPECT_EQ(refused(), "pooler.alias-twice");
  write(main(), replaced(read(main()), "%include " + included().string() + "\n", ""));
  EXPECT_EQ(refused(), "pooler.half-adopted");
  write(main(), main_file);
  EXPECT_EQ(refused(), "accepted");
}

// The process reads another file than the one that would be changed: a link that was turned since, say.
TEST_F(PoolerAdoption, AProcessThatDoesNotReadTheIncludedFileIsFoundOutByTheProbe) {
  start();
  adopt();
  auto one = console(0);
  const auto copy = poolers_[0].dir() / "copy.ini";
  write(copy, read(included()));
  EXPECT_EQ(error_of([&] { require_included_file_read(one, "a", copy, "shop", soon()); }), "pooler.include-unread");
  EXPECT_EQ(read(copy), read(included())) << "the probe left something";
  EXPECT_EQ(error_of([&] { require_included_file_read(one, "a", included(), "shop", soon()); }), "accepted");
}

TEST_F(PoolerAdoption, AProbeThatWasKilledIsClearedAway) {
  start();
  adopt();
  const std::string as_adopted = read(included());
  const std::string left = replaced(as_adopted, "shop =", "verdigris_probe_0bad = host=127.0.0.1 port=1 dbname=x\nshop =");
  auto only_a = adopted_settings();
  only_a.instances.resize(1);
  for (const bool is_loaded : {false, true}) {
    write(included(), left);
    if (is_loaded) console(0).reload(soon());
    PgBouncerTraffic traffic(only_a);
    std::string text;
    EXPECT_EQ(error_of([&] { traffic.require_ready(blue(), 5s, soon()); }, &text), "accepted") << text;
    EXPECT_EQ(read(included()), as_adopted);
    EXPECT_EQ(console(0).databases(soon()).size(), 2U) << "shop and the console";
  }
}

// Configuration management rewrites the main file while all is staged: seen above the line; below it, the database's line
// is led to the target wherever it stands.
TEST_F(PoolerAdoption, AMainFileThatIsRewrittenMeanwhileIsSeenAboveTheLineAndFollowedBelowIt) {
  start();
  const std::string as_found = read(main());
  adopt();
  auto only_a = adopted_settings();
  only_a.instances.resize(1);
  PgBouncerTraffic traffic(only_a);
  traffic.require_ready(blue(), 5s, soon());
  traffic.stage(green(), soon());
  traffic.require_unedited();
  write(main(), as_found);
  EXPECT_EQ(error_of([&] { traffic.require_unedited(); }), "pooler.foreign-edit");
  traffic.pause(soon());
  traffic.move(green(), soon());
  EXPECT_TRUE(traffic.has_moved(green(), soon()));
  EXPECT_EQ(read(main()), replaced(replaced(as_found, blue().host, green().host), "port=5432", "port=5433"));
}

TEST_F(PoolerAdoption, SeveralDatabasesMoveTogetherAndOneThatComesLaterFollows) {
  start();
  const std::string ro = "shop_ro = host=" + blue().host + " port=5432 dbname=shop pool_size=3\n";
  write(main(), replaced(read(main()), "[databases]\n", "[databases]\n" + ro));
  console(0).reload(soon());
  adopt();
  auto both = adopted_settings();
  both.databases = {"shop", "shop_ro"};
  both.instances.resize(1);
  PgBouncerTraffic traffic(both);
  EXPECT_EQ(error_of([&] { traffic.require_ready(blue(), 5s, soon()); }), "pooler.partly-adopted");
  adopt(0, {"shop", "shop_ro"});
  EXPECT_TRUE(read(included()).ends_with("\n" + ro));
  traffic.require_ready(blue(), 5s, soon());
  traffic.stage(green(), soon());
  traffic.pause(soon());
  traffic.move(green(), soon());
  for (const auto& state : traffic.state(soon())) EXPECT_EQ(state.target, green()) << state.alias;
}

TEST_F(PoolerAdoption, ASurveySaysWhereEachDatabaseIsDefinedAndWhatIsWrong) {
  start();
  auto survey = survey_pooler(instance(), {"shop"}, soon());
  ASSERT_TRUE(survey.is_sound()) << survey.trouble.text << survey.aliases[0].trouble.text;
  EXPECT_EQ(survey.pid, poolers_[0].pid());
  EXPECT_EQ(survey.aliases[0].defined_at, main().string() + ":2");
  EXPECT_FALSE(survey.aliases[0].is_adopted);
  EXPECT_EQ(survey.aliases[0].running.target, blue());
  EXPECT_EQ(survey.aliases[0].pool_mode, "transaction");
  adopt();
  Clients clients({poolers_[0].client("app", "shop"), poolers_[0].client("app", "shop")});
  ASSERT_TRUE(clients.wait_for("blue", 10));
  console(0).send_pause("shop", soon());
  while (!console(0).database("shop", soon()).is_paused) std::this_thread::sleep_for(1ms);
  survey = survey_pooler(instance(), {"shop", "nothing"}, soon());
  EXPECT_FALSE(survey.is_sound());
  EXPECT_EQ(survey.aliases[0].defined_at, included().string() + ":3");
  EXPECT_TRUE(survey.aliases[0].is_adopted);
  EXPECT_TRUE(survey.aliases[0].running.is_paused);
  EXPECT_EQ(survey.aliases[0].clients, 2);
  EXPECT_EQ(survey.aliases[1].trouble.id, "pooler.alias-gone");
  console(0).set("server_login_retry", "0", soon());  // a login that fell into the pause (faults B8)
  console(0).resume("shop", soon());
  write(included(), replaced(read(included()), blue().host, green().host));
  EXPECT_EQ(survey_pooler(instance(), {"shop"}, soon()).aliases[0].trouble.id, "pooler.target");
  clients.stop();
  poolers_[0].kill_hard();
  EXPECT_EQ(survey_pooler(instance(), {"shop"}, soon()).trouble.id, "pooler.unreachable");
}

}  // namespace
}  // namespace verdigris
