// What belongs to the data, kind by kind, through the program itself: prepared, written to, and compared value by value
// and fact by fact.
#include <gtest/gtest.h>

#include <deque>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

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
  ChildProcess start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), VERDIGRIS_PROGRAM);
    for (const auto& more : {std::string("--playbook"), (dir_.path() / "verdigris.yaml").string()}) arguments.push_back(more);
    return ChildProcess::start({.argv = arguments});
  }
  // Both databases anew, with these encodings.
  void recreate(const std::string& blue, const std::string& green) {
    for (const auto& [server, encoding] : {std::pair(&pair_.blue(), blue), std::pair(&pair_.green(), green)}) {
      auto postgres = admin(*server, "postgres");
      run(postgres, "DROP DATABASE shop WITH (FORCE)");
      run(postgres, "CREATE DATABASE shop TEMPLATE template0 ENCODING '" + encoding + "' LOCALE 'C'");
    }
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
      wait_for_marker(there, Stream::forward("shop"), write_marker(here, "blue", "test", soon()), soon());
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
  std::vector<std::string> waived{"data.unlogged", "data.large-objects", "schema.event-triggers"};
  if (green_major >= 16) waived.push_back("apply.table-owners");
  Kinds kinds(blue_major, green_major, waived);
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
  const auto verified = kinds.command({"verify"});
  EXPECT_EQ(verified.exit_code, 0) << verified.json;
  // What is waived by name, and nothing else, is not there.
  EXPECT_EQ(value(green, "SELECT count(*) FROM app.scratch"), "0");
  EXPECT_EQ(value(green, "SELECT count(*) FROM app.mixed_lost"), "0");
  EXPECT_EQ(value(green, "SELECT count(*) FROM pg_largeobject_metadata"), "0");
}

struct Encodings {
  const char* blue;
  const char* green;
  const char* word;  // in blue's sessions of ours
};

class DataEncodings : public testing::TestWithParam<Encodings> {};

// Names, definitions and rows, copied and followed: what has no encoding byte by byte, what has one letter by letter.
TEST_P(DataEncodings, LettersArriveAsTheyAre) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  Kinds kinds(15, 17);
  kinds.recreate(GetParam().blue, GetParam().green);
  auto blue = kinds.blue();
  const auto with_word = [](std::string sql) {
    for (auto at = sql.find('@'); at != std::string::npos; at = sql.find('@')) sql.replace(at, 1, GetParam().word);
    return sql;
  };
  run(blue, with_word(R"sql(
    CREATE TABLE public."@" (id int PRIMARY KEY, v text DEFAULT '@', "@" varchar(9), CONSTRAINT "c@" CHECK (v <> 'x@'));
    CREATE INDEX "i@" ON public."@" ((v || '@')); COMMENT ON TABLE public."@" IS '@';
    CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $$ SELECT '@'::text $$;
    INSERT INTO public."@" VALUES (1, DEFAULT, '@'), (2, 'plain', NULL), (3, '@@', '');
    CREATE MATERIALIZED VIEW public.m AS SELECT v || '@' AS v FROM public."@")sql"));
  kinds.prepare();
  if (HasFatalFailure()) return;
  run(blue, with_word(R"sql(
    INSERT INTO public."@" VALUES (4, DEFAULT, '@'); UPDATE public."@" SET v = v || '@' WHERE id = 2;
    DELETE FROM public."@" WHERE id = 3)sql"));
  kinds.catch_up();
  auto green = kinds.green();
  for (const char* part :
       {R"(SELECT string_agg(whole::text, '|' ORDER BY id) FROM public."@" AS whole)", "SELECT public.f()",
        R"(SELECT obj_description('public."@"'::regclass))", R"(SELECT string_agg(v, '|' ORDER BY v) FROM public.m)",
        R"(SELECT pg_get_indexdef('public."i@"'::regclass))"}) {
    const auto sql = with_word(part);
    EXPECT_EQ(value(green, sql), value(blue, sql)) << sql;
    EXPECT_NE(value(green, sql).find(GetParam().word), std::string::npos) << sql;
  }
  const auto verified = kinds.command({"verify"});
  EXPECT_EQ(verified.exit_code, 0) << verified.json << verified.errors;
}

INSTANTIATE_TEST_SUITE_P(Pairs, DataEncodings,
                         testing::Values(Encodings{"SQL_ASCII", "SQL_ASCII", "caf\xe9\xff"},
                                         Encodings{"LATIN1", "UTF8", "caf\xc3\xa9"}),
                         [](const auto& pair) { return std::string(pair.param.blue) + "to" + pair.param.green; });

std::int64_t most_memory_of(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  while (status >> word)
    if (word == "VmHWM:" && status >> word) return std::stoll(word) << 10;
  return 0;
}

// The relay holds a part of a row, never all of it.
TEST(DataSizes, AValueOf200MegabytesPassesThroughASmallController) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  Kinds kinds(15, 17);
  auto blue = kinds.blue();
  run(blue, "CREATE TABLE public.huge (id int PRIMARY KEY, n int, v text);"
            "INSERT INTO public.huge VALUES (1, 1, repeat(md5('a'), 6553600))");
  auto prepare = kinds.start({"prepare", "--yes"});
  std::int64_t most = 0;
  while (prepare.is_running()) {
    most = std::max(most, most_memory_of(prepare.pid()));
    std::this_thread::sleep_for(5ms);
  }
  ASSERT_EQ(prepare.exit_code(), 0);
  EXPECT_GT(most, 5 << 20);
  EXPECT_LT(most, 100 << 20) << "of " << (200 << 20) << " bytes in one value";
  run(blue, "UPDATE public.huge SET n = 2; INSERT INTO public.huge VALUES (2, 2, repeat(md5('b'), 655360))");
  kinds.catch_up();
  auto green = kinds.green();
  const std::string all =
      "SELECT string_agg(concat_ws(' ', id, n, length(v), md5(v)), '|' ORDER BY id) FROM public.huge";
  EXPECT_EQ(value(green, all), value(blue, all));
}

INSTANTIATE_TEST_SUITE_P(Majors, DataKinds, testing::Values(std::pair(15, 17), std::pair(13, 15)), [](const auto& pair) {
  return std::to_string(pair.param.first) + "to" + std::to_string(pair.param.second);
});

}  // namespace
}  // namespace verdigris::test
