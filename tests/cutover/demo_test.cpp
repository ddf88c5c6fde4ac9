// The demonstration as people run it, small: it ends well, with a fault in the midst of its last switch too, and says what
// happened; a signal in the pause leaves nothing behind.
#include <algorithm>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "controller/process.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/thorough.hpp"

namespace verdigris::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Json = nlohmann::json;

std::string content_of(const fs::path& file) {
  std::ifstream in(file);
  std::string content;
  std::getline(in, content, '\x01');  // no iterator: it throws when a process ends while it is read
  return content;
}

// Everything that runs with this path in its command line.
int processes_in(const fs::path& dir) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc"))
    if (content_of(entry.path() / "cmdline").find(dir.string()) != std::string::npos) ++count;
  return count;
}

class DemoRun : public ::testing::Test {
 protected:
  // Its temporary directory is ours, to be looked through afterwards.
  ChildProcess start(const std::vector<std::string>& more) {
    fs::permissions(scratch_.path(), fs::perms(0755));
    std::vector<std::string> argv{VERDIGRIS_PROGRAM, "sandbox", "demo",   "--json", "--tables",  "10",
                                  "--megabytes",     "5",       "--seconds", "1"};
    if (std::ranges::find(more, "--rate") == more.end()) argv.insert(argv.end(), {"--rate", "60"});
    argv.insert(argv.end(), more.begin(), more.end());
    return ChildProcess::start({.argv = argv,
                                .environment = {{"TMPDIR", scratch_.path().string()}},
                                .output = scratch_.path() / "out",
                                .errors = scratch_.path() / "err",
                                .death_signal = SIGTERM});
  }

  std::string said() const { return content_of(scratch_.path() / "err"); }
  Json document() const { return Json::parse(content_of(scratch_.path() / "out")); }

  fs::path directory() const {
    for (const auto& entry : fs::directory_iterator(scratch_.path()))
      if (entry.path().filename().string().starts_with("verdigris-demo-")) return entry.path();
    return {};
  }

  // A step of the last command of this name was told.
  bool is_told(const std::string& command, const std::string& step) const {
    const auto outputs = directory() / "demo";
    if (directory().empty() || !fs::exists(outputs)) return false;
    for (const auto& entry : fs::directory_iterator(outputs))
      if (entry.path().string().ends_with(command + ".err") && content_of(entry.path()).find(step) != std::string::npos)
        return true;
    return false;
  }

  void expect_nothing_left() const {
    EXPECT_EQ(directory(), fs::path());
    EXPECT_EQ(processes_in(scratch_.path()), 0);
  }

  ScratchDir scratch_;
};

using DemoWhole = DemoRun;

// What the README promises of it, without anything failing.
TEST_F(DemoWhole, EndsWellAndClientsWaitedAtEachPause) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  auto demo = start({"--rate", "200"});
  ASSERT_TRUE(demo.wait_end(Deadline::after(240s))) << said();
  ASSERT_EQ(demo.exit_code(), 0) << said();
  const Json found = document();
  EXPECT_EQ(found.at("result"), "ok") << found;
  for (const char* name : {"lost", "duplicated", "client_errors", "uncovered"}) EXPECT_EQ(found.at(name), 0) << name;
  EXPECT_GT(found.at("acknowledged"), 0);
  EXPECT_EQ(found.at("parity"), "equal");
  EXPECT_EQ(found.at("tables"), 10);
  EXPECT_EQ(found.at("tables_compared"), found.at("tables"));
  EXPECT_EQ(found.at("serves"), "green");
  EXPECT_EQ(found.at("crossings").size(), 3U);
  for (const auto& crossing : found.at("crossings")) {
    EXPECT_GT(crossing.at("waiting_clients"), 0) << crossing;
    EXPECT_GT(crossing.at("pause_ms"), 0) << crossing;
  }
  const auto& direct = found.at("direct");
  EXPECT_GT(direct.at("blue").at("refused").get<int>() + direct.at("green").at("refused").get<int>(), 0) << direct;
  expect_nothing_left();
}

struct Fault {
  const char* kind;
  const char* ending;         // of the switch in whose midst it comes
  bool is_seen_by_clients;    // their connections break with it
};

class Demo : public DemoRun, public ::testing::WithParamInterface<Fault> {};

TEST_P(Demo, EndsWellWithAFaultInTheMidstOfASwitch) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  const Fault fault = GetParam();
  auto demo = start({"--fault", fault.kind});
  ASSERT_TRUE(demo.wait_end(Deadline::after(240s))) << said();
  ASSERT_EQ(demo.exit_code(), 0) << said();
  const Json found = document();
  EXPECT_EQ(found.at("result"), "ok") << found;
  EXPECT_EQ(found.at("fault").at("kind"), fault.kind);
  EXPECT_EQ(found.at("fault").at("switch"), fault.ending) << found;
  EXPECT_EQ(found.at("lost"), 0);
  EXPECT_EQ(found.at("duplicated"), 0);
  EXPECT_GT(found.at("acknowledged"), 0);
  EXPECT_EQ(found.at("parity"), "equal");
  if (!fault.is_seen_by_clients) {
    EXPECT_EQ(found.at("client_errors"), 0) << found;
  }
  EXPECT_LT(found.at("longest_client_wait_ms"), 14'000) << "a pool was blocked by server_login_retry";
  expect_nothing_left();
}

// As the table in the README has it. In the sample: the one that clients notice.
std::vector<Fault> faults() {
  std::vector<Fault> all{{"pooler", "undone", true}};
  if (is_thorough()) all.insert(all.end(), {{"controller", "killed", false}, {"source", "undone", false}, {"target", "undone", false}});
  return all;
}
INSTANTIATE_TEST_SUITE_P(Of, Demo, ::testing::ValuesIn(faults()), [](const auto& one) { return one.param.kind; });

using DemoInterrupted = DemoRun;

TEST_F(DemoInterrupted, InThePauseLeavesNothing) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  auto demo = start({});
  const auto deadline = Deadline::after(120s);
  while (!is_told("switch", "fence_source") && demo.is_running() && !deadline.has_passed())
    std::this_thread::sleep_for(2ms);
  demo.send(SIGINT);
  ASSERT_TRUE(demo.wait_end(Deadline::after(30s)));
  EXPECT_EQ(demo.exit_code(), 130) << said();
  EXPECT_EQ(document().at("result"), "interrupted");
  expect_nothing_left();
}

}  // namespace
}  // namespace verdigris::test
