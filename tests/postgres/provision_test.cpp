// A green that prepare makes itself, filled with the load profile and restarted for good: whole, closed to strangers,
// gone on with after a kill at any point, thrown away after a crash, and nobody's to be led to before it is durable
// (steps begin_loading and leave_load_profile, check loading).
#include <unistd.h>

#include <fstream>

#include "tests/support/made_green.hpp"

namespace verdigris::test {
namespace {

constexpr int kRefusedCode = 3, kFailedCode = 1;
constexpr const char* kSettings = R"(
  SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings
  WHERE name IN ('fsync', 'full_page_writes', 'autovacuum', 'wal_level', 'synchronous_commit', 'work_mem',
                 'restart_after_crash'))";
constexpr const char* kForGood =
    "autovacuum=on fsync=on full_page_writes=on restart_after_crash=on synchronous_commit=on wal_level=logical "
    "work_mem=5120";
constexpr const char* kNotes = "SELECT count(*) FROM verdigris.saved WHERE key = 'provision:loading'";
constexpr const char* kSystem = "SELECT system_identifier FROM pg_control_system()";
constexpr const char* kCrashInCopy = "after:apply:copy_tables";

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

int prepare_until(MadeGreen& world, const std::string& point) {
  return world.command({"prepare", "--yes"}, {{"VERDIGRIS_CRASH", point}}).exit_code;
}

// Whole, equal, following, and as it shall serve.
void expect_good(MadeGreen& world) {
  EXPECT_EQ(world.difference(), "");
  EXPECT_TRUE(world.follows());
  auto green = world.green();
  auto blue = admin(blue_alone());
  EXPECT_EQ(value(green, kSettings), kForGood);
  EXPECT_EQ(value(green, kNotes) + value(blue, kNotes), "00");
  for (const char* sql :
       {"SELECT current_setting('data_checksums')", "SELECT current_setting('max_connections')",
        "SELECT pg_get_userbyid(datdba) || pg_encoding_to_char(encoding) || datcollate || datctype FROM pg_database WHERE datname = 'shop'"})
    EXPECT_EQ(value(green, sql), value(blue, sql)) << sql;
  EXPECT_TRUE(holds(world.marker(), "state production")) << world.marker();
  EXPECT_FALSE(std::filesystem::exists(world.data() / "verdigris.load.conf"));
  EXPECT_FALSE(std::filesystem::exists(world.data().string() + ".verdigris")) << "the workshop is left";
}

TEST(Provision, GreenIsMadeFilledAndRestartedForGood) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  MadeGreen world(17);
  const auto before = world.command({"check"});
  EXPECT_EQ(before.exit_code, kFailedCode);
  EXPECT_EQ(error_id(before), "provision.no-green") << before.json;
  const auto prepared = world.command({"prepare", "--yes"});
  ASSERT_EQ(prepared.exit_code, 0) << prepared.json << prepared.errors;
  expect_good(world);
  EXPECT_EQ(world.command({"check"}).exit_code, 0);
  EXPECT_EQ(world.command({"verify"}).exit_code, 0);
  EXPECT_EQ(world.command({"prepare", "--yes"}).exit_code, 0) << "again, with nothing to do";
  EXPECT_EQ(std::filesystem::status(world.data()).permissions(), std::filesystem::perms::owner_all);
  EXPECT_FALSE(holds(world.file("pg_hba.conf"), "trust"));
  EXPECT_FALSE(holds(world.file("pg_hba.conf"), "host")) << "it is reached by a socket only";
  auto stranger = Conninfo()
                      .with("host", (world.dir() / "s").string())
                      .with("port", "5433")
                      .with("dbname", "shop")
                      .with("user", "app");
  EXPECT_THROW(Connection::open(stranger, {"green", "test", false, {}}, soon()), CannotConnect);
}

TEST(Provision, DroppedGreenIsLeftStoppedAndMadeAnewByTheNextPrepare) {
  NEED_POSTGRES(15);
  MadeGreen world(15);
  ASSERT_EQ(world.command({"prepare", "--yes"}).exit_code, 0);
  expect_good(world);
  const auto system = value(*std::make_unique<Connection>(world.green()), kSystem);
  const auto dropped = world.command({"abandon", "--drop-green", "--confirm", "shop"});
  EXPECT_EQ(dropped.exit_code, 0) << dropped.errors;
  EXPECT_TRUE(holds(dropped.json.value("left", ""), world.data().string())) << dropped.json;
  EXPECT_FALSE(world.is_running());
  EXPECT_TRUE(std::filesystem::exists(world.data() / "PG_VERSION"));
  EXPECT_EQ(world.command({"abandon", "--drop-green", "--confirm", "shop"}).exit_code, 0) << "again";
  world.start_by_hand();
  EXPECT_EQ(world.command({"abandon", "--confirm", "shop"}).exit_code, 0);
  EXPECT_TRUE(world.is_running()) << "nobody asked for its end";
  EXPECT_EQ(world.command({"abandon", "--drop-green", "--confirm", "shop"}).exit_code, 0);
  EXPECT_FALSE(world.is_running());
  ASSERT_EQ(world.command({"prepare", "--yes"}).exit_code, 0);
  EXPECT_NE(value(*std::make_unique<Connection>(world.green()), kSystem), system);
  EXPECT_EQ(world.difference(), "");
}

// One deployment, killed at each point in turn; what a run finds is what the one before has left.
TEST(Provision, KilledAnywhereAndRepeatedEndsWell) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  MadeGreen world(17);
  for (const char* point : {"provision:begun", "provision:initdb", "provision:made", "provision:moved",
                            "provision:started", "provision:ready", "after:apply:begin_loading", kCrashInCopy})
    EXPECT_EQ(prepare_until(world, point), kKilled) << point;
  {
    auto green = world.green();
    auto blue = admin(blue_alone());
    EXPECT_EQ(value(green, kNotes) + value(blue, kNotes), "11") << "both sides say that it is loaded";
    EXPECT_EQ(value(green, "SELECT current_setting('fsync') || current_setting('wal_level')"), "offminimal");
    EXPECT_EQ(value(green, "SELECT current_setting('data_directory')"), world.data().string());
    EXPECT_FALSE(holds(world.file("pg_hba.conf"), "verdigris_repl")) << "somebody else may log in while it is loaded";
  }
  const auto switched = world.command({"switch", "--confirm", "shop"});
  EXPECT_EQ(switched.exit_code, kRefusedCode);
  EXPECT_EQ(error_id(switched), "phase.interrupted") << switched.json;
  for (const char* point :
       {"provision:stopped", "provision:synced", "provision:settled", "after:apply:leave_load_profile"})
    EXPECT_EQ(prepare_until(world, point), kKilled) << point;
  const auto prepared = world.command({"prepare", "--yes"});
  EXPECT_EQ(prepared.exit_code, 0) << prepared.json << prepared.errors;
  expect_good(world);
}

// Whatever the phase says: the note of either side is enough.
TEST(Provision, NobodyIsLedToAGreenThatIsStillLoading) {
  NEED_POSTGRES(15);
  MadeGreen world(15, "off");
  ASSERT_EQ(world.command({"prepare", "--yes"}).exit_code, 0);
  for (const bool is_on_green : {false, true}) {
    auto side = is_on_green ? world.green() : admin(blue_alone());
    run(side, "INSERT INTO verdigris.saved VALUES ('shop', 'provision:loading', 'true')");
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"switch", "--confirm", "shop"}, {"switch", "--dry-run"}, {"verify"}}) {
      const auto refused = world.command(command);
      EXPECT_EQ(refused.exit_code, kRefusedCode) << command[0];
      EXPECT_EQ(error_id(refused), "target.loading") << command[0] << refused.json;
      EXPECT_TRUE(holds(refused.json["error"].value("hint", ""), "verdigris prepare"));
    }
    EXPECT_TRUE(holds(world.command({"check"}).json.dump(), "target.loading"));
    EXPECT_FALSE(world.command({"status"}).json.value("can_switch", true));
    EXPECT_EQ(world.command({"prepare", "--yes"}).exit_code, 0) << "what the hint says";
    EXPECT_EQ(world.command({"switch", "--dry-run"}).exit_code, 0);
  }
}

// The directory knows with what it was filled, whatever the playbook says by now.
TEST(Provision, AnotherProfileInMidLoadChangesNothingOfHowItEnds) {
  NEED_POSTGRES(15);
  MadeGreen world(15);
  ASSERT_EQ(prepare_until(world, kCrashInCopy), kKilled);
  const auto playbook = world.playbook();
  const auto begin = playbook.find("  { green: initdb"), end = playbook.find(" } }\n", begin) + 5;
  const auto made = playbook.substr(begin, end - begin);
  world.change(made, "  { green: existing }\n");
  const auto refused = world.command({"prepare", "--yes"});
  EXPECT_EQ(refused.exit_code, kRefusedCode) << refused.json;
  EXPECT_TRUE(holds(refused.json.dump() + refused.errors, "target.loading")) << refused.json << refused.errors;
  world.change("  { green: existing }\n", made);
  world.change("load_profile: full", "load_profile: off");
  const auto prepared = world.command({"prepare", "--yes"});
  EXPECT_EQ(prepared.exit_code, 0) << prepared.json << prepared.errors;
  expect_good(world);
}

TEST(Provision, AbandonedInMidLoadItIsLeftToItsOperator) {
  NEED_POSTGRES(15);
  MadeGreen world(15);
  ASSERT_EQ(prepare_until(world, kCrashInCopy), kKilled);
  const auto abandoned = world.command({"abandon", "--confirm", "shop"});
  EXPECT_EQ(abandoned.exit_code, 0) << abandoned.json << abandoned.errors;
  EXPECT_TRUE(holds(abandoned.json.value("left", ""), "may not survive a crash")) << abandoned.json;
  EXPECT_EQ(world.marker(), "");
  const auto system = value(*std::make_unique<Connection>(world.green()), kSystem);
  const auto refused = world.command({"prepare", "--yes"});
  EXPECT_EQ(error_id(refused), "provision.directory") << refused.json;
  EXPECT_EQ(value(*std::make_unique<Connection>(world.green()), kSystem), system);
}

// Killed between what it takes back and the end of the server; and one that was started again by then is not thrown away.
TEST(Provision, DroppingGoesOnAfterAKillAndLeavesAServerAlone) {
  NEED_POSTGRES(15);
  MadeGreen world(15, "off");
  ASSERT_EQ(world.command({"prepare", "--yes"}).exit_code, 0);
  EXPECT_EQ(world.command({"abandon", "--drop-green", "--confirm", "shop"}, {{"VERDIGRIS_CRASH", "provision:to-be-dropped"}}).exit_code, kKilled);
  EXPECT_TRUE(world.is_running());
  const auto refused = world.command({"prepare", "--yes"});
  EXPECT_EQ(error_id(refused), "provision.directory") << refused.json;
  EXPECT_TRUE(world.is_running());
  EXPECT_EQ(world.command({"abandon", "--drop-green", "--confirm", "shop"}).exit_code, 0);
  EXPECT_FALSE(world.is_running());
}

// Stop, then sync, then start, and nothing of it twice; a disk that says no costs the copy, since it says so once.
TEST(Provision, WhatCouldNotBeMadeDurableIsCopiedAnew) {
  NEED_POSTGRES(15);
  MadeGreen world(15);
  world.watch_programs();
  ASSERT_EQ(prepare_until(world, kCrashInCopy), kKilled);
  std::ofstream(world.dir() / "no-sync");
  const auto failed = world.command({"prepare", "--yes"});
  EXPECT_EQ(failed.exit_code, kFailedCode) << failed.json;
  EXPECT_EQ(error_id(failed), "provision.sync") << failed.json;
  EXPECT_TRUE(holds(world.marker(), "state lost")) << world.marker();
  std::filesystem::remove(world.dir() / "no-sync");
  std::ofstream(world.dir() / "unclean");
  const auto unclean = world.command({"prepare", "--yes"});
  EXPECT_EQ(unclean.exit_code, kFailedCode) << unclean.json;
  EXPECT_EQ(error_id(unclean), "provision.unclean") << unclean.json;
  std::filesystem::remove(world.dir() / "unclean");
  std::ofstream(world.dir() / "programs");
  const auto prepared = world.command({"prepare", "--yes"});
  EXPECT_EQ(prepared.exit_code, 0) << prepared.json << prepared.errors;
  EXPECT_TRUE(holds(unclean.errors, "could not be made durable")) << unclean.errors;
  EXPECT_TRUE(holds(prepared.errors, "ended without a shutdown")) << prepared.errors;
  EXPECT_EQ(world.programs(), "init start stop-fast sync start ");
  expect_good(world);
}

TEST(Provision, WhatACrashMayHaveTakenIsThrownAwaySaidAndCopiedAnew) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  MadeGreen world(17);
  ASSERT_EQ(prepare_until(world, kCrashInCopy), kKilled);
  const auto system = value(*std::make_unique<Connection>(world.green()), kSystem);
  world.kill_postmaster();
  EXPECT_EQ(prepare_until(world, "provision:thrown-away"), kKilled);
  const auto prepared = world.command({"prepare", "--yes"});
  ASSERT_EQ(prepared.exit_code, 0) << prepared.json << prepared.errors;
  EXPECT_NE(value(*std::make_unique<Connection>(world.green()), kSystem), system);
  expect_good(world);
}

TEST(Provision, TheReasonIsSaidWhenAGreenIsThrownAway) {
  NEED_POSTGRES(15);
  MadeGreen world(15);
  ASSERT_EQ(prepare_until(world, kCrashInCopy), kKilled);
  world.kill_postmaster();
  // Its number has gone to a process of the same user.
  std::ofstream(world.data() / "postmaster.pid") << blue_alone().pid() << "\n" << world.data().string() << "\n17\n";
  const auto crashed = world.command({"prepare", "--yes"}, {{"VERDIGRIS_CRASH", kCrashInCopy}});
  EXPECT_TRUE(holds(crashed.errors, "ended without a shutdown (its control file says \"in production\")"))
      << crashed.errors;
  EXPECT_TRUE(holds(crashed.errors, "thrown away")) << crashed.errors;
  EXPECT_TRUE(blue_alone().is_running()) << "it was stopped in green's place";
  // As after a start of the machine, of which everything else has gone unnoticed.
  auto marker = world.marker();
  const auto at = marker.find("boot ") + 5;
  std::ofstream(world.data() / "verdigris.provision") << marker.replace(at, 4, "0000");
  const auto restarted = world.command({"prepare", "--yes"});
  EXPECT_EQ(restarted.exit_code, 0) << restarted.json;
  EXPECT_TRUE(holds(restarted.errors, "lost its machine, which was started again")) << restarted.errors;
  expect_good(world);
}

TEST(Provision, WithFsyncACrashCostsNothing) {
  NEED_POSTGRES(15);
  MadeGreen world(15, "keep-fsync");
  ASSERT_EQ(prepare_until(world, kCrashInCopy), kKilled);
  {
    auto green = world.green();
    EXPECT_EQ(value(green, "SELECT current_setting('fsync') || current_setting('wal_level')"), "onminimal");
  }
  const auto system = value(*std::make_unique<Connection>(world.green()), kSystem);
  world.kill_postmaster();
  const auto prepared = world.command({"prepare", "--yes"});
  ASSERT_EQ(prepared.exit_code, 0) << prepared.json << prepared.errors;
  EXPECT_EQ(value(*std::make_unique<Connection>(world.green()), kSystem), system);
  EXPECT_FALSE(holds(prepared.errors, "thrown away")) << prepared.errors;
  expect_good(world);
}

TEST(Provision, SettingsThatItMustNotServeWithKeepItLoading) {
  NEED_POSTGRES(15);
  MadeGreen world(15);
  ASSERT_EQ(prepare_until(world, kCrashInCopy), kKilled);
  const auto by_hand = world.data() / "postgresql.auto.conf";
  const auto before = world.file("postgresql.auto.conf");
  std::ofstream(by_hand, std::ios::app) << "autovacuum = off\n";
  const auto refused = world.command({"prepare", "--yes"});
  EXPECT_EQ(refused.exit_code, kFailedCode);
  EXPECT_EQ(error_id(refused), "provision.settings") << refused.json;
  EXPECT_TRUE(holds(refused.json["error"].value("message", ""), "autovacuum is off")) << refused.json;
  EXPECT_TRUE(holds(world.marker(), "state loading"));
  std::ofstream(by_hand, std::ios::trunc) << before;
  EXPECT_EQ(world.command({"prepare", "--yes"}).exit_code, 0);
  expect_good(world);
}

TEST(Provision, WhatIsNotOursOrCannotBeIsRefusedAndLeftAlone) {
  NEED_POSTGRES(15);
  MadeGreen world(15);
  const auto refused_with = [&](const std::string& id, int exit_code) {
    const auto answer = world.command({"prepare", "--yes"});
    EXPECT_EQ(answer.exit_code, exit_code) << answer.json;
    EXPECT_EQ(error_id(answer), id) << answer.json;
    EXPECT_NE(answer.json["error"].value("hint", ""), "") << id;
  };
  std::filesystem::create_directory(world.data());
  std::ofstream(world.data() / "precious") << "kept";
  refused_with("provision.directory", kRefusedCode);
  std::ofstream(world.data() / "verdigris.provision") << "deployment other\nstate loading\n";
  refused_with("provision.directory", kRefusedCode);
  EXPECT_EQ(world.file("precious"), "kept");
  std::filesystem::remove_all(world.data());
  std::filesystem::create_directory(world.data());  // an empty one will do
  world.change("bindir: ", "bindir: /nowhere");
  refused_with("provision.program", kRefusedCode);
  world.change("bindir: /nowhere", "bindir: ");
  if (::geteuid() == 0) {
    world.change(", user: nobody", ", user: nobody-of-that-name");
    refused_with("provision.user", kRefusedCode);
    world.change(", user: nobody-of-that-name", "");
    refused_with("provision.root", kRefusedCode);
    world.change(", load_profile", ", user: nobody, load_profile");
  }
  world.change("host=" + (world.dir() / "s").string() + " port=5433 dbname=shop user=verdigris\"",
               "host=localhost port=5433 dbname=shop user=verdigris\"");
  refused_with("provision.password", kRefusedCode);
  world.change("host=localhost", "host=" + (world.dir() / "s").string());
  world.change("work_mem: 5MB", "work_mem: plenty");
  refused_with("provision.start", kFailedCode);
  world.change("work_mem: plenty", "work_mem: 5MB");
  std::filesystem::remove_all(world.data());
  EXPECT_EQ(world.command({"prepare", "--yes"}).exit_code, 0);
}

}  // namespace
}  // namespace verdigris::test
