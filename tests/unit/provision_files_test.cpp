// What a green that verdigris makes is told: where to listen, who may log in, with what it is filled and with what it
// serves; and what its programs say when they fail.
#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>

#include "controller/process.hpp"
#include "controller/provision/server_directory.hpp"
#include "controller/provision/server_files.hpp"
#include "controller/provision/server_programs.hpp"
#include "controller/sandbox/postgres_server.hpp"
#include "controller/sandbox/scratch_dir.hpp"
#include "replication/errors.hpp"

using namespace verdigris;

namespace {

const Conninfo kSocket = Conninfo::parse("host=/run/green port=5433 dbname=orders user=v");
const Conninfo kRemote = Conninfo::parse("host=db2 port=5433 dbname=orders user=r");

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

template <class Act>
std::string id_of_error(Act act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_NE(error.hint(), "") << error.id();
    return error.id();
  }
  return "none";
}

ServerPrograms saying(int exit_code, const std::string& text) {
  return {"/x/bin", ServerUser(), [=](const ToolRun&, Deadline) { return ToolResult{exit_code, text, ""}; }};
}

Deadline a_minute() {
  return Deadline::after(std::chrono::minutes(1));
}

}  // namespace

TEST(ProvisionReach, FollowsFromHowGreenIsReached) {
  const auto sockets = reach_of(kSocket, kSocket.with("user", "r"), "/srv/green");
  EXPECT_EQ(sockets.sockets, std::vector<std::string>{"/run/green"});
  EXPECT_TRUE(sockets.addresses.empty());
  const auto both = reach_of(kSocket, kRemote, "/srv/green");
  EXPECT_EQ(both.addresses, std::vector<std::string>{"db2"});
  EXPECT_FALSE(both.is_loopback_only);
  const auto remote = reach_of(kRemote, kRemote.with("hostaddr", "10.0.0.2"), "/srv/green");
  EXPECT_EQ(remote.sockets, std::vector<std::string>{"/srv/green"}) << "closed to others";
  EXPECT_EQ(remote.addresses, (std::vector<std::string>{"db2", "10.0.0.2"}));
  EXPECT_TRUE(reach_of(kRemote.with("host", "localhost"), kRemote.with("host", "127.0.0.1"), "/d").is_loopback_only);
  EXPECT_EQ(id_of_error([] { reach_of(kSocket, kSocket.with("port", "5434"), "/d"); }), "provision.reach");
  EXPECT_EQ(id_of_error([] { reach_of(kSocket.with("host", "/" + std::string(100, 'd')), kSocket, "/d"); }),
            "provision.socket-path");
}

TEST(ProvisionLogins, NobodyButTheControllerWhileGreenIsLoaded) {
  const LoginRules rules{"v", "r\"s", true, false};
  const auto reach = reach_of(kSocket, kRemote, "/d");
  EXPECT_EQ(login_rules(rules, reach, true),
            "# Written by verdigris prepare.\nlocal all \"v\" peer map=verdigris\nhost all \"v\" all scram-sha-256\n");
  const auto good = login_rules(rules, reach, false);
  EXPECT_TRUE(
      has(good, "local all \"r\"\"s\" scram-sha-256\nlocal all all scram-sha-256\nhost all all all scram-sha-256\n"))
      << good;
  EXPECT_FALSE(has(good, "trust"));
  EXPECT_TRUE(has(login_rules({"v", "r", false, true}, reach, false), "local all \"r\" peer map=verdigris\n"));
  EXPECT_TRUE(has(login_rules({"v", "r", false, true}, reach, false), "hostssl all"));
  EXPECT_TRUE(has(user_map(rules, {"root", "postgres"}), "verdigris \"postgres\" \"v\"\n"));
  EXPECT_EQ(id_of_error([&] { login_rules({"a\nb", "r", false, false}, reach, true); }), "provision.role");
}

TEST(ServerLog, IsNotReadThroughALink) {
  const ScratchDir dir("vgp-");
  std::ofstream(dir.path() / "log") << "one\ntwo\n";
  std::filesystem::create_symlink(dir.path() / "log", dir.path() / "link");
  EXPECT_EQ(log_tail(dir.path() / "log", 1), "\n  two");
  EXPECT_EQ(log_tail(dir.path() / "link", 1), "");
}

TEST(ProvisionSettings, RecoveryEndsBeforeTheStreamAndDoesNothingOfBlues) {
  const auto text = recovery_settings("host='/b' user='r'", "verdigris_d_base", "0/1A0", true);
  for (const char* line : {"recovery_target_lsn = '0/1A0'\n", "recovery_target_inclusive = 'off'\n", "hot_standby = off\n",
                           "max_logical_replication_workers = 0\n", "archive_mode = off\n",
                           "primary_conninfo = 'host=''/b'' user=''r'''\n", "primary_slot_name = 'verdigris_d_base'\n"})
    EXPECT_TRUE(has(text, line)) << line << text;
}

TEST(ProvisionSettings, LoadProfileIsThatOfThePlaybookAndFitsTheMachine) {
  const Machine machine{std::int64_t{16} << 30, std::int64_t{40} << 30};
  const auto full = load_settings(LoadProfile::full, 17, machine);
  for (const char* line : {"wal_level = minimal\n", "max_wal_senders = 0\n", "archive_mode = off\n", "fsync = off\n",
                           "full_page_writes = off\n", "synchronous_commit = off\n", "wal_skip_threshold = 0\n",
                           "checkpoint_timeout = 1d\n", "autovacuum = off\n", "jit = off\n",
                           "max_wal_size = '10240MB'\n", "shared_buffers = '128MB'\n", "summarize_wal = off\n"})
    EXPECT_TRUE(has(full, line)) << line << full;
  const auto kept = load_settings(LoadProfile::keep_fsync, 15, machine);
  EXPECT_FALSE(has(kept, "fsync")) << kept;
  EXPECT_FALSE(has(kept, "full_page_writes")) << kept;
  EXPECT_FALSE(has(kept, "summarize_wal")) << kept;
  EXPECT_TRUE(has(load_settings(LoadProfile::full, 17, {1, 0}), "max_wal_size = '1024MB'\n"));
  EXPECT_EQ(load_settings(LoadProfile::off, 17, machine), "");
}

TEST(ProvisionSettings, TheOnesForGoodAreQuotedAndThePlaybooksComeLast) {
  ProvisionSettings settings;
  settings.settings = {{"max_connections", "500"}, {"cluster_name", "it's \\ here"}};
  const SourceFacts blue{.encoding = "UTF8",
                         .collate = "C",
                         .ctype = "C",
                         .locale = "",
                         .icu_rules = "",
                         .monetary = "C",
                         .numeric = "C",
                         .time = "C",
                         .timezone = "Etc/UTC",
                         .max_connections = "200",
                         .max_locks = "64",
                         .max_prepared = "0",
                         .superuser_verifier = {},
                         .replication_verifier = {}};
  const auto text = production_settings(reach_of(kSocket, kRemote, "/d"), blue, settings);
  EXPECT_TRUE(
      has(text, "listen_addresses = 'db2'\nunix_socket_directories = '\"/run/green\"'\nwal_level = 'logical'\n"))
      << text;
  EXPECT_LT(text.find("max_connections = '200'"), text.find("max_connections = '500'")) << "the last one counts";
  EXPECT_TRUE(has(text, "cluster_name = 'it''s \\\\ here'\n")) << text;
}

TEST(ProvisionPrograms, SayWhatFailedWhereAndWhatNext) {
  const auto failing = saying(1, "no space left");
  EXPECT_EQ(id_of_error([&] { failing.initdb("/d", {}, a_minute()); }), "provision.initdb");
  EXPECT_EQ(id_of_error([&] { failing.sync("/d", a_minute()); }), "provision.sync");
  EXPECT_EQ(id_of_error([&] { failing.start("/d", a_minute()); }), "provision.start");
  EXPECT_EQ(id_of_error([&] { failing.control_data("/d", a_minute()); }), "provision.status");
  EXPECT_EQ(id_of_error([&] { failing.major(a_minute()); }), "provision.program");
  const ServerPrograms late("/x/bin", ServerUser(), [](const ToolRun&, Deadline) -> ToolResult { throw DeadlinePassed("late"); });
  EXPECT_EQ(id_of_error([&] { late.sync("/d", a_minute()); }), "provision.time");
  const ScratchDir scratch("vgp-");
  std::filesystem::create_directory(scratch.path() / "global");
  const std::array<std::uint32_t, 6> head{75, 0, 1300, 202307071, 6, 0};  // in the order of this machine
  std::ofstream(scratch.path() / "global/pg_control", std::ios::binary)
      .write(reinterpret_cast<const char*>(head.data()), sizeof(head));
  const auto data = saying(0, "").control_data(scratch.path(), a_minute());
  EXPECT_EQ(data.system_identifier + " " + data.state, "75 in production");
}

// A crash leaves postmaster.pid, and its number is given to somebody else.
TEST(ProvisionPrograms, OnlyAProcessThatWorksInTheDirectoryIsItsServer) {
  const ScratchDir scratch("vgp-");
  const auto write_pid = [&](const std::string& pid) { std::ofstream(scratch.path() / "postmaster.pid") << pid << "\nx\n17\n"; };
  int stops = 0;
  const ServerPrograms programs("/x/bin", ServerUser(), [&](const ToolRun&, Deadline) { return ++stops, ToolResult{1, "", ""}; });
  const auto stop = [&] { programs.stop(scratch.path(), "immediate", a_minute()); };
  EXPECT_FALSE(programs.is_running(scratch.path(), a_minute())) << "no file";
  write_pid(std::to_string(::getpid()));
  EXPECT_FALSE(programs.is_running(scratch.path(), a_minute())) << "we work elsewhere";
  stop();
  write_pid("4000000");
  EXPECT_FALSE(programs.is_running(scratch.path(), a_minute())) << "nobody";
  stop();
  EXPECT_EQ(stops, 0) << "a signal was sent to somebody else";
  auto server = ChildProcess::start({.argv = {"/usr/bin/env", "--chdir=" + scratch.path().string(), "/bin/sleep", "60"},
                                     .output = "/dev/null",
                                     .errors = "/dev/null",
                                     .death_signal = SIGKILL});
  write_pid(std::to_string(server.pid()));
  for (const auto end = a_minute(); !programs.is_running(scratch.path(), a_minute());) ASSERT_FALSE(end.has_passed());
  EXPECT_EQ(id_of_error(stop), "provision.stop");
  EXPECT_EQ(stops, 1);
  server.send(SIGKILL);
  EXPECT_TRUE(server.wait_end(a_minute()));
}

TEST(ProvisionDirectory, IsOnlyTouchedIfItCarriesOurMarker) {
  const ScratchDir scratch("vgp-");
  const auto path = scratch.path() / "green";
  const ServerDirectory directory(path, "orders", ServerUser());
  EXPECT_TRUE(directory.is_free());
  const auto made = directory.fresh_workshop() / "data";
  std::filesystem::create_directory(made);
  directory.move_in(made, {"orders", GreenState::loading, LoadProfile::keep_fsync, "b", "12 34"});
  EXPECT_FALSE(std::filesystem::exists(path.string() + ".verdigris"));
  const auto marker = directory.marker().value();
  EXPECT_EQ(marker.server, "12 34");
  EXPECT_EQ(marker.profile, LoadProfile::keep_fsync);
  EXPECT_EQ(id_of_error([&] { ServerDirectory(path, "other", ServerUser()).is_free(); }), "provision.directory");
  ServerDirectory(path, "other", ServerUser()).throw_away();
  EXPECT_TRUE(std::filesystem::exists(path)) << "not theirs to throw away";
  std::ofstream(path / "verdigris.provision") << "deployment orders\nstate half\n";
  EXPECT_EQ(id_of_error([&] { directory.marker(); }), "provision.marker");
  std::ofstream(path / "verdigris.provision") << "deployment orders\nstate dropped\n";
  std::filesystem::create_directory(path.string() + ".verdigris");
  std::ofstream(path.string() + ".verdigris/theirs") << "kept";
  EXPECT_EQ(id_of_error([&] { directory.throw_away(); }), "provision.directory");
  std::filesystem::remove_all(path.string() + ".verdigris");
  directory.throw_away();
  EXPECT_TRUE(directory.is_free());
}
