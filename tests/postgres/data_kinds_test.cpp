// What belongs to the data, kind by kind, through the program itself: prepared, written to, and compared value by value
// and fact by fact.
#include <gtest/gtest.h>

#include <deque>
#include <fstream>
#include <set>
#include <sstream>

#include "controller/process.hpp"
#include "controller/sandbox/sandbox_files.hpp"
#include "replication/marker.hpp"
#include "tests/support/every_kind.hpp"
#include "tests/support/shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

// Blue and green, and a playbook that leads from the one to the other.
class Kinds {
 public:
  Kinds(int blue, int green, const std::vector<std::string>& waived = {}) : pair_(shared_pair(blue, green)) {
    const auto playbook = dir_.path() / "verdigris.yaml";
    std::ofstream(playbook) << playbook_text(waived);
    std::filesystem::permissions(playbook, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }

  Answer command(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), VERDIGRIS_PROGRAM);
    for (const auto& more : {std::string("--json"), std::string("--playbook"), (dir_.path() / "verdigris.yaml").string()})
      arguments.push_back(more);
    const auto result = run_tool({arguments, {}, {}}, Deadline::after(120s));
    auto json = nlohmann::json::parse(result.output, nullptr, false);
    return {result.exit_code, json.is_discarded() ? nlohmann::json() : json, result.errors};
  }
  void prepare() {
    const auto answer = command({"prepare", "--yes"});
    ASSERT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  }
  Connection blue() { return admin(pair_.blue()); }
  Connection green() { return admin(pair_.green()); }
  void catch_up() {
    auto here = blue(), there = green();
    try {
      wait_for_marker(there, write_marker(here, "blue", "test", soon()), soon());
    } catch (const Error& error) {
      throw Error("test", error.what() + errors_in(pair_.green().log()) + errors_in(pair_.blue().log()));
    }
  }
  Pair& pair() { return pair_; }

 private:
  std::string playbook_text(std::vector<std::string> waived) {
    const auto to = [](PostgresServer& server, const std::string& user) { return server.conninfo(user, "shop").text(); };
    std::string text = "apiVersion: verdigris/v1\nkind: Cutover\nname: shop\nclusters:\n  blue: { conninfo: \"" +
                       to(pair_.blue(), "verdigris") + "\" }\n  green: { conninfo: \"" + to(pair_.green(), "verdigris") +
                       "\" }\nreplication:\n  conninfo: { to_blue: \"" + to(pair_.blue(), "verdigris_repl") +
                       "\", to_green: \"" + to(pair_.green(), "verdigris_repl") +
                       "\" }\n  tables: { include: [\"*.*\"], exclude: [public.fired] }\npooler: { driver: none }\n";
    std::string waivers = waivers_for(described(pair_.blue()), described(pair_.green()));
    if (waivers.empty()) waivers = "waivers:\n";
    waived.push_back("settings.fsync");
    for (const auto& id : waived) waivers += "  - { id: " + id + ", reason: \"a test\", until: 2099-01-01 }\n";
    return text + waivers;
  }
  // What a server last complained of.
  static std::string errors_in(const std::filesystem::path& log) {
    std::ifstream in(log);
    std::deque<std::string> last;
    for (std::string line; std::getline(in, line);) {
      if (line.find("ERROR:") == std::string::npos && line.find("CONTEXT:") == std::string::npos) continue;
      last.push_back(line);
      if (last.size() > 4) last.pop_front();
    }
    std::string text;
    for (const auto& line : last) text += "\n" + line;
    return text;
  }
  static SandboxServer described(const PostgresServer& server) {
    auto session = admin(server);
    return {server.major(), value(session, "SELECT split_part(current_setting('server_version'), ' ', 1)"), 0, "", 0};
  }

  ScratchDir dir_;
  Pair& pair_;
};

// Line by line, so that only what differs is said.
std::string difference(const std::string& blue, const std::string& green) {
  const auto lines_of = [](const std::string& text) {
    std::set<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.insert(line);
    return lines;
  };
  const auto here = lines_of(blue), there = lines_of(green);
  std::string out;
  for (const auto& line : here)
    if (!there.contains(line)) out += "\nblue:  " + line;
  for (const auto& line : there)
    if (!here.contains(line)) out += "\ngreen: " + line;
  return out;
}

class DataKinds : public testing::TestWithParam<std::pair<int, int>> {};

TEST_P(DataKinds, AllOfThemArriveAndAreFollowed) {
  const auto [blue_major, green_major] = GetParam();
  NEED_POSTGRES(blue_major);
  NEED_POSTGRES(green_major);
  Kinds kinds(blue_major, green_major, {"data.unlogged", "data.large-objects"});
  auto blue = kinds.blue();
  create_every_kind(blue);
  kinds.prepare();
  if (HasFatalFailure()) return;
  auto green = kinds.green();
  kinds.catch_up();
  EXPECT_EQ(difference(rows_of_every_kind(blue), rows_of_every_kind(green)), "") << "copied";
  EXPECT_EQ(value(green, "SELECT count(*) FROM public.fired"), "0") << "nothing fires while rows are copied";
  EXPECT_EQ(difference(facts_of_every_kind(blue), facts_of_every_kind(green)), "");
  write_every_kind(blue);
  kinds.catch_up();
  EXPECT_EQ(difference(rows_of_every_kind(blue), rows_of_every_kind(green)), "") << "followed";
  EXPECT_EQ(value(green, "SELECT string_agg(what, ', ' ORDER BY what) FROM public.fired"), "always INSERT, replica INSERT")
      << "only what is to fire in the apply worker";
  EXPECT_EQ(kinds.command({"verify"}).exit_code, 0) << kinds.command({"verify"}).json;
}

INSTANTIATE_TEST_SUITE_P(Majors, DataKinds, testing::Values(std::pair(15, 17), std::pair(13, 15)), [](const auto& pair) {
  return std::to_string(pair.param.first) + "to" + std::to_string(pair.param.second);
});

}  // namespace
}  // namespace verdigris::test
