// A green that a program of the operator makes: asked once, found again by every command through blue's note, without
// a password anywhere; gone on with after a kill; what the program does wrong is said; dropped by another program.
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "controller/process.hpp"
#include "controller/sandbox/sandbox_files.hpp"
#include "tests/support/made_green.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr const char* kSecret = "geheim";
constexpr const char* kNote = "SELECT value::text FROM verdigris.saved WHERE key = 'provision:green'";

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Durable, as prepare wants it.
Pair& durable_pair() {
  static Pair pair(15, 15, {.fsync = Fsync::on, .settings = {{"wal_retrieve_retry_interval", "100ms"}}});
  return pair;
}

class World {
 public:
  World() : pair_(durable_pair()) {
    pair_.fresh_databases();
    auto blue = admin(pair_.blue());
    run(blue, "CREATE TABLE public.items (id int PRIMARY KEY, note text); "
              "INSERT INTO public.items SELECT i, repeat('x', i % 90) FROM generate_series(1, 500) AS i");
    make_says("echo looking for a machine >&2\necho \"" + uri() + "\"");
    write_script("drop", "echo dropped >> " + log().string() + "\n");
    write_playbook();
  }

  // Green of the pair, as a cloud would print it.
  std::string uri(const std::string& password = kSecret) const {
    const auto at = pair_.green().conninfo("verdigris", "shop");
    std::string host;
    for (const char c : at.value("host")) host += c == '/' ? std::string("%2F") : std::string(1, c);
    return "postgresql://verdigris:" + password + "@" + host + ":" + at.value("port") + "/shop";
  }
  std::string place_text() const { return pair_.green().conninfo("verdigris", "shop").text(); }
  std::string place() const { return pair_.green().conninfo("verdigris", "shop").value("port"); }

  void make_says(const std::string& text) { write_script("make", "echo made >> " + log().string() + "\n" + text + "\n"); }
  void write_script(const std::string& name, const std::string& text) {
    std::ofstream(script(name), std::ios::trunc) << "#!/bin/sh\n" << text;
    fs::permissions(script(name), fs::perms(0755));
  }
  fs::path script(const std::string& name) const { return dir_.path() / name; }
  std::string calls() const {
    std::string all;
    std::ifstream file(log());
    for (std::string line; std::getline(file, line);) all += line + " ";
    return all;
  }

  // green: what stands in the playbook of it, besides what the program says.
  void write_playbook(const std::string& green = "", const std::string& more = "") {
    const auto at_blue = [&](const char* user) {
      const auto conninfo = pair_.blue().conninfo(user, "shop");
      return (is_blue_lost_ ? conninfo.with("port", "1") : conninfo).text();
    };
    const SandboxServer of_15{15, find_postgres(15, toolchain_bindirs())->version, 0, "", 0};
    std::ofstream out(playbook(), std::ios::trunc);
    fs::permissions(playbook(), fs::perms(0600));
    out << "apiVersion: verdigris/v1\nkind: Cutover\nname: shop\nclusters:\n  blue: { conninfo: \"" << at_blue("verdigris")
        << "\" }\n" << (green.empty() ? "" : "  green: { conninfo: \"" + green + "\" }\n")
        << "replication:\n  conninfo: { to_blue: \"" << at_blue("verdigris_repl")
        << "\", to_green: \"user=verdigris_repl\" }\npooler: { driver: none }\nprovision:\n  { green: command, argv: ["
        << script("make").string() << "], timeout: 2s" << more << " }\n" << waivers_for(of_15, of_15);
  }

  // From now on nobody answers where the playbook says that blue is.
  void lose_blue(const std::string& green = "") {
    is_blue_lost_ = true;
    write_playbook(green);
  }

  Answer command(std::vector<std::string> arguments, const Environment& environment = {}) const {
    arguments.insert(arguments.begin(), VERDIGRIS_PROGRAM);
    for (const auto& more : {std::string("--json"), std::string("--playbook"), playbook().string()}) arguments.push_back(more);
    const auto result = run_tool({arguments, environment, {}}, Deadline::after(120s));
    auto json = nlohmann::json::parse(result.output, nullptr, false);
    return {result.exit_code, json.is_discarded() ? nlohmann::json() : json, result.errors};
  }
  std::string error_of_prepare() const {
    const auto answer = command({"prepare", "--yes"});
    EXPECT_FALSE(says(answer.json.dump() + answer.errors, kSecret)) << answer.json << answer.errors;
    return error_id(answer);
  }
  std::string drops() const { return ", drop: { argv: [" + script("drop").string() + "], timeout: 5s }"; }

  bool follows() {
    auto blue = admin(pair_.blue()), green = admin(pair_.green());
    run(blue, "INSERT INTO public.items VALUES (100000, 'late')");
    const auto deadline = soon();
    while (value(green, "SELECT count(*) FROM public.items WHERE id = 100000") != "1") {
      if (deadline.has_passed()) return false;
      std::this_thread::sleep_for(10ms);
    }
    return true;
  }
  std::string on_blue(const std::string& sql) {
    auto blue = admin(pair_.blue());
    return value(blue, sql);
  }
  bool is_blue_clean() { return on_blue("SELECT count(*) FROM pg_namespace WHERE nspname = 'verdigris'") == "0"; }

 private:
  fs::path log() const { return dir_.path() / "calls"; }
  fs::path playbook() const { return dir_.path() / "verdigris.yaml"; }

  Pair& pair_;
  ScratchDir dir_;
  bool is_blue_lost_ = false;
};

TEST(ProvisionCommand, GreenIsAskedForOnceAndFoundByEveryCommand) {
  NEED_POSTGRES(15);
  World world;
  EXPECT_EQ(error_id(world.command({"check"})), "provision.no-green");
  EXPECT_EQ(world.calls(), "");
  const auto prepared = world.command({"prepare", "--yes"});
  ASSERT_EQ(prepared.exit_code, 0) << prepared.json << prepared.errors;
  EXPECT_TRUE(says(prepared.errors, "make: looking for a machine")) << prepared.errors;
  EXPECT_TRUE(says(prepared.errors, "is not kept")) << prepared.errors;
  EXPECT_FALSE(says(prepared.json.dump() + prepared.errors, kSecret));
  EXPECT_TRUE(says(world.on_blue(kNote), world.place())) << world.on_blue(kNote);
  EXPECT_FALSE(says(world.on_blue("SELECT string_agg(j::text, ' ') FROM verdigris.journal AS j") + world.on_blue(kNote), kSecret));
  EXPECT_TRUE(world.follows());
  for (const char* command : {"check", "status", "verify", "plan"}) {
    const auto answer = world.command({command});
    EXPECT_EQ(answer.exit_code, 0) << command << answer.json << answer.errors;
  }
  EXPECT_EQ(world.command({"prepare", "--yes"}).exit_code, 0);
  EXPECT_EQ(world.command({"switch", "--confirm", "shop"}).exit_code, 0);
  EXPECT_EQ(world.command({"status"}).json.value("serves", ""), "green");
  EXPECT_EQ(world.command({"rollback", "--confirm", "shop"}).exit_code, 0);
  EXPECT_EQ(world.command({"recover"}).exit_code, 0);
  EXPECT_EQ(world.calls(), "made ");
}

// Blue alone had it noted; a person writes it down then. Nobody is asked where nothing is known: libpq would go to
// whatever listens on this machine.
TEST(ProvisionCommand, WithoutBlueGreenIsWhereThePlaybookSays) {
  NEED_POSTGRES(15);
  World world;
  ASSERT_EQ(world.command({"prepare", "--yes"}).exit_code, 0);
  ASSERT_EQ(world.command({"switch", "--confirm", "shop"}).exit_code, 0);
  world.lose_blue();
  const auto unknown = world.command({"status"});
  EXPECT_TRUE(says(unknown.errors, "green: cannot connect: where it is is not known")) << unknown.errors;
  EXPECT_EQ(error_id(world.command({"finish", "--without", "blue", "--confirm", "shop"})), "cannot-connect");
  world.lose_blue(world.place_text());
  const auto finished = world.command({"finish", "--without", "blue", "--confirm", "shop"});
  EXPECT_EQ(finished.exit_code, 0) << finished.json << finished.errors;
  EXPECT_EQ(world.calls(), "made ");
}

TEST(ProvisionCommand, AKilledPrepareGoesOnAndAsksAgainOnlyIfNothingWasNoted) {
  NEED_POSTGRES(15);
  World world;
  for (const char* point : {"provision:asked", "provision:told", "provision:noted", "after:apply:publish_source"})
    EXPECT_EQ(world.command({"prepare", "--yes"}, {{"VERDIGRIS_CRASH", point}}).exit_code, kKilled) << point;
  EXPECT_EQ(world.command({"prepare", "--yes"}).exit_code, 0);
  EXPECT_EQ(world.calls(), "made made ") << "asked: never run; told: run; noted: run; afterwards not";
  EXPECT_TRUE(world.follows());
}

TEST(ProvisionCommand, WhatTheProgramDoesWrongIsSaidWithoutWhatItPrinted) {
  NEED_POSTGRES(15);
  World world;
  const auto made = [&](const std::string& text) {
    world.make_says(text);
    return world.error_of_prepare();
  };
  EXPECT_EQ(made("echo no quota >&2; exit 3"), "provision.command-failed");
  EXPECT_EQ(made("true"), "provision.command-answer");
  EXPECT_EQ(made("echo 'password=geheim'\"'\""), "provision.command-answer");
  EXPECT_EQ(made("echo 'postgresql://u:geheim@h/d?pool=1'"), "provision.command-answer");
  EXPECT_EQ(made("echo 'postgresql://u:p@geheim@db2/shop'"), "provision.command-answer");
  EXPECT_EQ(made("echo 'postgresql://u:geheim/p@db2/shop'"), "provision.command-answer");
  EXPECT_EQ(made("echo 'host=/tmp port=geheim dbname=shop user=u'"), "provision.command-answer");
  EXPECT_EQ(made("echo 'host=/tmp port=1'"), "provision.command-answer");
  EXPECT_EQ(made("echo 'host=/tmp dbname=shop user=u options=-cfsync=off'"), "provision.command-answer");
  EXPECT_EQ(made("sleep 60"), "provision.command-timeout");
  EXPECT_EQ(made("echo 'host=/nowhere dbname=shop user=verdigris'"), "cannot-connect");
  EXPECT_TRUE(says(world.on_blue(kNote), "nowhere"));
  EXPECT_EQ(world.command({"abandon", "--without", "green", "--confirm", "shop"}).exit_code, 0);
  EXPECT_TRUE(world.is_blue_clean());
  world.make_says("echo \"" + world.uri() + "\"");
  world.write_playbook("port=1");
  EXPECT_EQ(world.error_of_prepare(), "provision.elsewhere");
  world.write_playbook();
  ::chmod(world.script("make").c_str(), 0777);
  EXPECT_EQ(world.error_of_prepare(), "provision.command-file");
  ::chmod(world.script("make").c_str(), 0755);
  EXPECT_EQ(world.command({"prepare", "--yes"}).exit_code, 0);
}

TEST(ProvisionCommand, AnotherProgramDropsItAndIsRunAgainUntilItSucceeds) {
  NEED_POSTGRES(15);
  World world;
  world.write_playbook("", world.drops());
  const std::vector<std::string> abandon{"abandon", "--drop-green", "--confirm", "shop"};
  EXPECT_EQ(world.command({"prepare", "--yes"}, {{"VERDIGRIS_CRASH", "provision:asked"}}).exit_code, kKilled);
  const auto unknown = world.command(abandon);
  EXPECT_EQ(unknown.exit_code, 0) << unknown.json << unknown.errors;
  EXPECT_TRUE(world.is_blue_clean());
  ASSERT_EQ(world.command({"prepare", "--yes"}).exit_code, 0);
  world.write_script("drop", "echo it is busy >&2; exit 1\n");
  EXPECT_EQ(error_id(world.command(abandon)), "provision.command-failed");
  EXPECT_EQ(world.error_of_prepare(), "provision.dropping");
  world.write_script("drop", "echo dropped >> " + world.script("calls").string() + "\n");
  EXPECT_EQ(world.command(abandon, {{"VERDIGRIS_CRASH", "provision:dropped"}}).exit_code, kKilled);
  EXPECT_EQ(world.command(abandon).exit_code, 0);
  EXPECT_TRUE(world.is_blue_clean());
  EXPECT_EQ(world.calls(), "dropped made dropped dropped ");
}

TEST(ProvisionCommand, WithoutADropProgramGreenIsEmptiedAndLeft) {
  NEED_POSTGRES(15);
  World world;
  ASSERT_EQ(world.command({"prepare", "--yes"}).exit_code, 0);
  EXPECT_EQ(world.command({"abandon", "--drop-green", "--confirm", "shop"}).exit_code, 0);
  EXPECT_TRUE(world.is_blue_clean());
  EXPECT_EQ(world.command({"prepare", "--yes"}).exit_code, 0) << "it is empty, and asked for anew";
  EXPECT_EQ(world.calls(), "made made ");
}

}  // namespace
}  // namespace verdigris::test
