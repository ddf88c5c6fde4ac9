#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "controller/process.hpp"
#include "controller/sandbox/postgres_binaries.hpp"
#include "controller/sandbox/sandbox_state.hpp"
#include "controller/sandbox/supervisor.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

ToolResult verdigris(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), VERDIGRIS_PROGRAM);
  return run_tool({arguments, {}, {}}, Deadline::after(120s));
}

std::vector<std::string> up_arguments(const fs::path& dir) {
  return {"sandbox", "up", "--dir",    dir.string(), "--blue",      "15",
          "--green", "15", "--tables", "10",         "--megabytes", "1"};
}

// Everything that runs with the directory in its command line.
int processes_of(const fs::path& dir) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    std::string line;
    std::getline(file, line, '\x01');  // no iterator: it throws when the process ends while it is read
    if (line.find(dir.string()) != std::string::npos) ++count;
  }
  return count;
}

void expect_nothing_left(const fs::path& dir) {
  const auto deadline = Deadline::after(20s);
  while ((processes_of(dir) > 0 || fs::exists(dir)) && !deadline.has_passed()) std::this_thread::sleep_for(20ms);
  EXPECT_EQ(processes_of(dir), 0);
  EXPECT_FALSE(fs::exists(dir));
}

TEST(SandboxUp, RunsUntilDownAndLeavesNothing) {
  NEED_POSTGRES(15);
  const ScratchDir scratch;
  const fs::path dir = scratch.path() / "sandbox";
  const auto up = verdigris(up_arguments(dir));
  ASSERT_EQ(up.exit_code, 0) << up.errors;
  EXPECT_TRUE(fs::exists(dir / "verdigris.yaml"));
  EXPECT_EQ(fs::status(dir / "verdigris.yaml").permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_TRUE(fs::exists(dir / "migrations/0001_customer_loyalty/up.sql"));
  EXPECT_EQ(processes_of(dir), 4);  // supervisor, two servers, pooler

  const auto again = verdigris(up_arguments(dir));
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_NE(again.errors.find("runs already"), std::string::npos);

  EXPECT_EQ(verdigris({"sandbox", "down", "--dir", dir.string()}).exit_code, 0);
  expect_nothing_left(dir);
  EXPECT_EQ(verdigris({"sandbox", "down", "--dir", dir.string()}).exit_code, 0);
}

TEST(SandboxUp, RunsThePoolerThatIsNamed) {
  NEED_POSTGRES(15);
  const ScratchDir scratch;
  const fs::path dir = scratch.path() / "sandbox", program = scratch.path() / "pgbouncer-of-ours";
  const char* other = std::getenv("VERDIGRIS_PGBOUNCER");
  fs::copy_file(other != nullptr && *other != '\0' ? fs::path(other) : require_pgbouncer(), program);
  fs::permissions(scratch.path(), fs::perms(0755));  // whoever the pooler runs as must come to it
  auto arguments = up_arguments(dir);
  arguments.insert(arguments.end(), {"--pgbouncer", program.string()});
  ASSERT_EQ(verdigris(arguments).exit_code, 0);
  const auto pooler = require_sandbox(dir).pooler;
  EXPECT_EQ(fs::read_symlink("/proc/" + std::to_string(pooler.pid) + "/exe"), program);
  EXPECT_EQ(verdigris({"sandbox", "down", "--dir", dir.string()}).exit_code, 0);
  expect_nothing_left(dir);
  arguments.back() = (scratch.path() / "none").string();
  EXPECT_EQ(verdigris(arguments).exit_code, 3);
  EXPECT_FALSE(fs::exists(dir));
}

TEST(SandboxUp, SupervisorStartsAgainWhatDiesAndEndsEverythingOnASignal) {
  NEED_POSTGRES(15);
  const ScratchDir scratch;
  const fs::path dir = scratch.path() / "sandbox";
  ASSERT_EQ(verdigris(up_arguments(dir)).exit_code, 0);
  const auto before = require_sandbox(dir);
  ::kill(before.pooler.pid, SIGKILL);
  ::kill(before.green.pid, SIGQUIT);
  const auto deadline = Deadline::after(30s);
  auto now = before;
  while ((now.pooler.pid == before.pooler.pid || now.green.pid == before.green.pid) && !deadline.has_passed()) {
    std::this_thread::sleep_for(50ms);
    now = require_sandbox(dir);
  }
  EXPECT_NE(now.pooler.pid, before.pooler.pid);
  auto client = Connection::open_plain(now.conninfo(now.pooler, "app"), {"pooler", "test", false, {}}, soon());
  EXPECT_EQ(value(client, "SELECT 1"), "1");
  client.close();

  const auto supervisor = find_supervisor(dir);
  ASSERT_TRUE(supervisor);
  ::kill(*supervisor, SIGTERM);
  expect_nothing_left(dir);
}

TEST(SandboxUp, ServersEndWithASupervisorThatIsKilledAndDownRemovesTheRest) {
  NEED_POSTGRES(15);
  const ScratchDir scratch;
  const fs::path dir = scratch.path() / "sandbox";
  ASSERT_EQ(verdigris(up_arguments(dir)).exit_code, 0);
  ::kill(find_supervisor(dir).value(), SIGKILL);
  const auto deadline = Deadline::after(20s);
  while (processes_of(dir) > 0 && !deadline.has_passed()) std::this_thread::sleep_for(20ms);
  EXPECT_EQ(processes_of(dir), 0);
  EXPECT_EQ(verdigris({"sandbox", "down", "--dir", dir.string()}).exit_code, 0);
  expect_nothing_left(dir);
}

// Interrupted while it fills blue, which is when most of it is in motion.
TEST(SandboxDemo, InterruptedLeavesNothing) {
  NEED_POSTGRES(15);
  const ScratchDir scratch;
  auto demo = ChildProcess::start(
      {.argv = {VERDIGRIS_PROGRAM, "sandbox", "demo", "--blue", "15", "--green", "15", "--megabytes", "500"},
       .environment = {{"TMPDIR", scratch.path().string()}}});
  std::this_thread::sleep_for(4s);
  EXPECT_GT(processes_of(scratch.path()), 0);
  demo.send(SIGINT);
  ASSERT_TRUE(demo.wait_end(Deadline::after(60s)));
  EXPECT_EQ(demo.exit_code(), 130);
  EXPECT_EQ(processes_of(scratch.path()), 0);
  for (const auto& left : fs::directory_iterator(scratch.path()))
    EXPECT_TRUE(left.path().filename().string().starts_with("verdigris-initdb-")) << left.path();
}

TEST(SandboxUp, ForeignDirectoryIsNeitherTakenNorRemoved) {
  const ScratchDir scratch;
  std::ofstream(scratch.path() / "mine") << "x";
  EXPECT_EQ(verdigris(up_arguments(scratch.path())).exit_code, 3);
  EXPECT_EQ(verdigris({"sandbox", "down", "--dir", scratch.path().string()}).exit_code, 3);
  EXPECT_TRUE(fs::exists(scratch.path() / "mine"));
}

TEST(SandboxUp, MajorThatIsMissingIsRefusedAndLeavesNothing) {
  const ScratchDir scratch;
  const fs::path dir = scratch.path() / "sandbox";
  EXPECT_EQ(verdigris({"sandbox", "up", "--dir", dir.string(), "--blue", "29"}).exit_code, 3);
  EXPECT_FALSE(fs::exists(dir));
}

}  // namespace
}  // namespace verdigris::test
