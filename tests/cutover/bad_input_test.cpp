// What people get wrong, through the real program: a clear message with its id, the right exit code, and neither side
// touched, whether they check first or prepare at once.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "controller/process.hpp"
#include "tests/support/catalog_image.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kRefused = 3;

struct Input {
  Conninfo blue, green;
  std::string to_blue, to_green;
  std::string schema = "dump";
};

class BadInput : public ::testing::Test {
 protected:
  void use(int blue, int green) { adopt(shared_pair(blue, green)); }

  void adopt(Pair& pair) {
    pair_ = &pair;
    input_ = {pair.blue().conninfo("verdigris", "shop"), pair.green().conninfo("verdigris", "shop"),
              pair.blue().conninfo("verdigris_repl", "shop").text(),
              pair.green().conninfo("verdigris_repl", "shop").text()};
  }

  std::filesystem::path write_playbook() {
    const auto file = scratch_.path() / "verdigris.yaml";
    std::filesystem::remove(file);
    std::ofstream out(file);
    out << "apiVersion: verdigris/v1\nkind: Cutover\nname: shop\nclusters:\n"
        << "  blue: { conninfo: \"" << input_.blue.text() << "\" }\n"
        << "  green: { conninfo: \"" << input_.green.text() << "\" }\n"
        << "replication:\n  conninfo:\n    to_blue: \"" << input_.to_blue << "\"\n    to_green: \"" << input_.to_green
        << "\"\n  schema: " << input_.schema << "\npooler: { driver: none }\nwaivers:\n"
        << "  - { id: versions.minor, reason: \"servers of a test\", until: 2100-01-01 }\n"
        << "  - { id: settings.fsync, reason: \"servers of a test\", until: 2100-01-01 }\n";
    out.close();
    std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return file;
  }

  ToolResult verdigris(const std::string& command) {
    return run_tool({{VERDIGRIS_PROGRAM, command, "-f", write_playbook().string(), "--json"}, {}, {}},
                    Deadline::after(120s));
  }

  // Both commands, and the catalogs before and after. `id` is that of a finding of check and of prepare's error.
  void expect_refused(const std::string& id, int exit_code) {
    Connection on_blue = admin(pair_->blue());
    Connection on_green = admin(pair_->green());
    const std::string before = catalog_image(on_blue) + catalog_image(on_green);
    const ToolResult check = verdigris("check");
    EXPECT_EQ(check.exit_code, exit_code) << check.output << check.errors;
    EXPECT_TRUE(says(check, id)) << check.output << check.errors;
    const ToolResult prepare = verdigris("prepare");
    EXPECT_EQ(prepare.exit_code, exit_code) << prepare.output << prepare.errors;
    EXPECT_TRUE(says(prepare, id)) << prepare.output << prepare.errors;
    EXPECT_EQ(catalog_image(on_blue) + catalog_image(on_green), before);
  }

  // As a failing finding, or as the error itself; with a hint each time.
  static bool says(const ToolResult& result, const std::string& id) {
    const Json document = Json::parse(result.output);
    if (document.contains("error")) return document["error"]["id"] == id && document["error"]["hint"] != "";
    for (const auto& finding : document["findings"])
      if (finding["id"] == id && finding["level"] == "fail" && finding["hint"] != "") return true;
    return false;
  }

  Pair* pair_ = nullptr;
  Input input_;
  ScratchDir scratch_;
};

TEST_F(BadInput, NoneIsFoundOnAPlainPair) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  use(15, 17);
  const ToolResult check = verdigris("check");
  EXPECT_EQ(check.exit_code, 0) << check.output << check.errors;
  const Json document = Json::parse(check.output);
  EXPECT_EQ(document["schema"], "verdigris.check/1");
  EXPECT_EQ(document["result"], "passed");
}

TEST_F(BadInput, UnreachableServer) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  use(15, 17);
  input_.green = input_.green.with("host", "/nowhere");
  expect_refused("cannot-connect", kFailed);
}

TEST_F(BadInput, WrongPassword) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  use(15, 17);
  Connection blue = admin(pair_->blue());
  run(blue, "DROP ROLE IF EXISTS careful; CREATE ROLE careful LOGIN SUPERUSER PASSWORD 'right'");
  const auto passfile = scratch_.path() / "pgpass";
  std::ofstream(passfile) << "*:*:*:careful:wrong\n";
  std::filesystem::permissions(passfile, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  input_.blue = pair_->blue().conninfo("careful", "shop").with("passfile", passfile.string());
  expect_refused("cannot-connect", kFailed);
  EXPECT_NE(verdigris("check").output.find("password authentication failed"), std::string::npos);
  run(blue, "DROP ROLE careful");
}

TEST_F(BadInput, WrongPasswordBetweenTheServers) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  use(15, 17);
  Connection blue = admin(pair_->blue());
  run(blue, "DROP ROLE IF EXISTS follower; CREATE ROLE follower LOGIN REPLICATION PASSWORD 'right'");
  input_.to_blue = pair_->blue().conninfo("follower", "shop").text();
  expect_refused("roles.connect", kRefused);
  run(blue, "DROP ROLE follower");
}

TEST_F(BadInput, BlueIsGreen) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  use(15, 17);
  input_.green = input_.blue;
  EXPECT_EQ(verdigris("check").exit_code, kUsage) << "the playbook alone shows it";
  // Another way to the same socket: only the servers can tell.
  std::filesystem::create_directory_symlink(input_.blue.value("host"), scratch_.path() / "green");
  input_.green = input_.blue.with("host", (scratch_.path() / "green").string());
  expect_refused("target.same", kRefused);
}

TEST_F(BadInput, GreenIsNotEmpty) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  use(15, 17);
  Connection green = admin(pair_->green());
  run(green, "CREATE TABLE public.orders (id int PRIMARY KEY); INSERT INTO public.orders VALUES (1)");
  expect_refused("target.not-empty", kRefused);
}

TEST_F(BadInput, SchemaOfSomebodyElse) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  use(15, 17);
  Connection blue = admin(pair_->blue());
  run(blue, "DO $$BEGIN CREATE ROLE mallory; EXCEPTION WHEN duplicate_object THEN END$$");
  run(blue, "CREATE SCHEMA verdigris AUTHORIZATION mallory");
  expect_refused("schema.foreign", kRefused);
  const ToolResult recover = verdigris("recover");
  EXPECT_EQ(recover.exit_code, 6) << recover.output;
  EXPECT_TRUE(says(recover, "schema.foreign")) << recover.output;
}

TEST_F(BadInput, PgDumpIsTooOldForBlue) {
  NEED_POSTGRES(16);
  NEED_POSTGRES(17);
  if (std::filesystem::exists("/usr/lib/postgresql/16/bin/pg_dump")) GTEST_SKIP() << "pg_dump 16 is installed here";
  use(16, 17);
  expect_refused("tool.pg-dump", kRefused);
}

TEST_F(BadInput, WalLevelIsNotLogical) {
  NEED_POSTGRES(15);
  Pair pair(15, 15, {.fsync = Fsync::off, .settings = {{"wal_level", "replica"}}});
  pair.fresh_databases();
  adopt(pair);
  expect_refused("limits.wal-level", kRefused);
}

TEST_F(BadInput, GreenIsAStandby) {
  NEED_POSTGRES(15);
  Pair pair(15, 15);
  pair.fresh_databases();
  pair.green().stop_fast();
  std::ofstream(pair.green().data() / "standby.signal").close();
  pair.green().start();
  adopt(pair);
  expect_refused("target.standby", kRefused);
}

// One that refuses our settings, and one that was told to ignore them.
TEST_F(BadInput, BlueIsAPooler) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  use(15, 17);
  for (const char* ignored : {"extra_float_digits", "extra_float_digits,options"}) {
    auto pooler = pair_->pooler("p", {.settings = {{"ignore_startup_parameters", ignored}}});
    input_.blue = pooler.client("app", "shop");
    expect_refused("server.pooler", kRefused);
  }
}

}  // namespace
}  // namespace verdigris::test
