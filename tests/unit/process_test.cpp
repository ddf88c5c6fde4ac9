#include "controller/process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;

Deadline soon() {
  return Deadline::after(10s);
}

ToolResult run_shell(const std::string& script, std::string input = {}) {
  return run_tool({{"/bin/sh", "-c", script}, {}, std::move(input)}, soon());
}

bool has_ended(pid_t pid) {
  for (int i = 0; i < 400; ++i) {
    if (::kill(pid, 0) != 0) return true;
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (std::getline(stat, line) && line.find(") Z ") != std::string::npos)
      return true;  // nobody reaps it in a container
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

TEST(RunTool, ReturnsBothOutputsAndTheExitCode) {
  const auto result = run_shell("echo out; echo err >&2; exit 7");
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
}

TEST(RunTool, FeedsStandardInputWithoutDeadlock) {
  const std::string input(3'000'000, 'x');
  EXPECT_EQ(run_shell("cat", input).output, input);
  EXPECT_EQ(run_shell("exit 0", input).exit_code, 0);  // a program that never reads is no deadlock and no SIGPIPE
}

TEST(RunTool, LimitsStandardErrorAndGoesOnReading) {
  const auto result = run_shell("head -c 1000000 /dev/zero | tr '\\0' x >&2; echo done");
  EXPECT_EQ(result.errors.size(), 65536U);
  EXPECT_EQ(result.output, "done\n");
}

TEST(RunTool, DeadlineKillsTheWholeGroup) {
  const std::string file = "/tmp/verdigris-process-test-" + std::to_string(::getpid());
  // The grandchild ignores TERM: only a KILL of the group ends it.
  const std::string script = "(trap '' TERM; while :; do sleep 0.05; done) & echo $! > " + file + "; wait";
  EXPECT_THROW(run_tool({{"/bin/sh", "-c", script}, {}, {}}, Deadline::after(300ms)), DeadlinePassed);
  pid_t grandchild = 0;
  std::ifstream(file) >> grandchild;
  ::unlink(file.c_str());
  ASSERT_GT(grandchild, 0);
  EXPECT_TRUE(has_ended(grandchild));
}

TEST(RunTool, ProgramThatIsMissingSaysWhich) {
  try {
    run_tool({{"/nowhere/pg_dump"}, {}, {}}, soon());
    FAIL() << "started";
  } catch (const Error& error) {
    EXPECT_EQ(error.id(), "tool-missing");
    EXPECT_NE(std::string(error.what()).find("/nowhere/pg_dump"), std::string::npos);
  }
}

TEST(RunTool, RefusesARelativePath) {
  EXPECT_THROW(run_tool({{"sh"}, {}, {}}, soon()), Error);
}

TEST(RunTool, EndBySignalIsSaidAsAShellSaysIt) {
  EXPECT_EQ(run_shell("kill -9 $$").exit_code, 128 + 9);
}

TEST(RunTool, EnvironmentIsCleanAndExplicit) {
  ::setenv("PGPASSWORD", "hidden", 1);
  ::setenv("PGHOST", "elsewhere", 1);
  const auto result = run_tool({{"/usr/bin/env"}, {{"PGPASSFILE", "/some/file"}}, {}}, soon());
  ::unsetenv("PGPASSWORD");
  ::unsetenv("PGHOST");
  EXPECT_EQ(result.output.find("PGPASSWORD"), std::string::npos);
  EXPECT_EQ(result.output.find("PGHOST"), std::string::npos);
  EXPECT_NE(result.output.find("PGPASSFILE=/some/file"), std::string::npos);
}

TEST(ChildProcess, StopsBySignalAndTellsHow) {
  auto child = ChildProcess::start({.argv = {"/bin/sleep", "60"}});
  EXPECT_TRUE(child.is_running());
  EXPECT_EQ(child.exit_code(), std::nullopt);
  EXPECT_TRUE(child.stop(SIGTERM, soon()));
  EXPECT_EQ(child.exit_code(), 128 + SIGTERM);
}

TEST(ChildProcess, DestructorLeavesNoProcess) {
  pid_t pid = 0;
  {
    auto child = ChildProcess::start({.argv = {"/bin/sleep", "60"}});
    pid = child.pid();
  }
  EXPECT_TRUE(has_ended(pid));
}

TEST(ChildProcess, OneThatIgnoresTheSignalIsKilledAtTheDeadline) {
  auto child = ChildProcess::start({.argv = {"/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"}});
  std::this_thread::sleep_for(100ms);
  EXPECT_FALSE(child.stop(SIGTERM, Deadline::after(200ms)));
  EXPECT_FALSE(child.is_running());
}

}  // namespace
}  // namespace verdigris
