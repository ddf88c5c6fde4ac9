#include "tests/support/made_green.hpp"

#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "controller/process.hpp"
#include "controller/sandbox/sandbox_files.hpp"
#include "replication/errors.hpp"

namespace verdigris::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::string whole(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

pid_t postmaster_in(const fs::path& data) {
  return std::atoi(whole(data / "postmaster.pid").c_str());
}

SandboxServer of_version(int major) {
  return {major, find_postgres(major, toolchain_bindirs())->version, 0, "", 0};
}

// Of the machine, if it must be another than ours.
std::string user_line() {
  return ::geteuid() == 0 ? ", user: nobody" : "";
}

std::string playbook_text(const fs::path& dir, int major, const std::string& load_profile) {
  const auto at_blue = [&](const std::string& user) { return blue_alone().conninfo(user, "shop").text(); };
  const auto at_green = [&](const std::string& user) {
    return "host=" + (dir / "s").string() + " port=5433 dbname=shop user=" + user;
  };
  return "apiVersion: verdigris/v1\nkind: Cutover\nname: shop\nclusters:\n  blue: { conninfo: \"" +
         at_blue("verdigris") + "\" }\n  green: { conninfo: \"" + at_green("verdigris") +
         "\" }\nreplication:\n  conninfo: { to_blue: \"" + at_blue("verdigris_repl") + "\", to_green: \"" +
         at_green("verdigris_repl") +
         "\" }\npooler: { driver: none }\nprovision:\n  { green: initdb, data_directory: " + (dir / "green").string() +
         ", bindir: " + find_postgres(major, toolchain_bindirs())->bindir.string() + user_line() +
         ", load_profile: " + load_profile +
         ",\n    settings: { work_mem: 5MB, wal_retrieve_retry_interval: 100ms } }\n" +
         waivers_for(of_version(15), of_version(major));
}

void write_private_text(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::trunc);
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  out << text;
}

}  // namespace

std::string error_id(const Answer& answer) {
  return answer.json.is_object() && answer.json.contains("error") ? answer.json["error"].value("id", "") : "";
}

PostgresServer& blue_alone() {
  static ScratchDir dir;
  static auto server = PostgresServer::create(15, dir.path() / "b", {.name = "blue", .bindirs = toolchain_bindirs()});
  if (!server.is_running()) {
    server.start();
    auto postgres = Connection::open(server.conninfo("postgres", "postgres"), {"blue", "test", false, {}}, soon());
    create_controller_roles(postgres, soon());
  }
  return server;
}

MadeGreen::MadeGreen(int major, const std::string& load_profile) : major_(major) {
  fresh_blue();
  write_private_text(dir_.path() / "verdigris.yaml", playbook_text(dir_.path(), major, load_profile));
}

MadeGreen::~MadeGreen() {
  if (is_running()) kill_postmaster();
}

void MadeGreen::fresh_blue() {
  auto postgres = admin(blue_alone(), "postgres");
  if (value(postgres, "SELECT count(*) FROM pg_database WHERE datname = 'shop'") == "1") {
    {
      auto shop = admin(blue_alone());
      run(shop,
          "DO $$ DECLARE s text; BEGIN FOR s IN SELECT subname FROM pg_subscription LOOP "
          "EXECUTE format('ALTER SUBSCRIPTION %I DISABLE', s); EXECUTE format('ALTER SUBSCRIPTION %I SET (slot_name = "
          "NONE)', s); "
          "EXECUTE format('DROP SUBSCRIPTION %I', s); END LOOP; END $$");
    }
    const auto deadline = soon();
    while (value(postgres, "SELECT count(*) FROM pg_replication_slots WHERE active") != "0" && !deadline.has_passed())
      std::this_thread::sleep_for(10ms);
    run(postgres, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
    run(postgres, "DROP DATABASE shop WITH (FORCE)");
  }
  if (value(postgres, "SELECT count(*) FROM pg_roles WHERE rolname = 'shopkeeper'") == "0")
    run(postgres, "CREATE ROLE shopkeeper LOGIN");
  run(postgres, "CREATE DATABASE shop TEMPLATE template0 OWNER shopkeeper");
  auto shop = admin(blue_alone());
  run(shop, R"(
    CREATE TABLE public.items (id int PRIMARY KEY, note text, price numeric(9,2));
    CREATE TABLE public.orders (id bigserial PRIMARY KEY, item int REFERENCES public.items, at timestamptz);
    CREATE INDEX orders_at ON public.orders (at);
    INSERT INTO public.items SELECT i, repeat('x', i % 90), i / 7.0 FROM generate_series(1, 5000) AS i;
    INSERT INTO public.orders (item, at) SELECT i, now() FROM generate_series(1, 5000) AS i)");
}

Answer MadeGreen::command(std::vector<std::string> arguments, const Environment& environment) {
  arguments.insert(arguments.begin(), VERDIGRIS_PROGRAM);
  for (const auto& more : {std::string("--json"), std::string("--playbook"), (dir_.path() / "verdigris.yaml").string()})
    arguments.push_back(more);
  const auto result = run_tool({arguments, environment, {}}, Deadline::after(120s));
  auto json = nlohmann::json::parse(result.output, nullptr, false);
  return {result.exit_code, json.is_discarded() ? nlohmann::json() : json, result.errors};
}

void MadeGreen::change(const std::string& what, const std::string& by) {
  const auto playbook = dir_.path() / "verdigris.yaml";
  auto text = whole(playbook);
  const auto at = text.find(what);
  if (at == std::string::npos) throw Error("test", "the playbook does not hold " + what);
  write_private_text(playbook, text.replace(at, what.size(), by));
}

std::string MadeGreen::playbook() const { return whole(dir_.path() / "verdigris.yaml"); }
std::string MadeGreen::programs() const { return whole(dir_.path() / "programs"); }

void MadeGreen::watch_programs() {
  const auto real = find_postgres(major_, toolchain_bindirs())->bindir, ours = dir_.path() / "bin";
  const auto log = (dir_.path() / "programs").string();
  fs::create_directory(ours);
  const auto put = [&](const std::string& name, const std::string& first) {
    std::ofstream(ours / name) << "#!/bin/sh\n" << first << "exec " << (real / name).string() << " \"$@\"\n";
    fs::permissions(ours / name, fs::perms(0755));
  };
  std::ofstream{log};
  fs::permissions(log, fs::perms(0666));
  put("postgres", "");
  put("initdb", "case \"$*\" in *--sync-only*) [ -e " + (dir_.path() / "no-sync").string() +
                    " ] && { echo 'could not fsync' >&2; exit 1; }; echo -n 'sync ' >> " + log + ";; *) echo -n 'init ' >> " + log + ";; esac\n");
  put("pg_ctl", "case \"$*\" in start*) echo -n 'start ' >> " + log + ";; *'-m fast'*) echo -n 'stop-fast ' >> " + log +
                    "; [ -e " + (dir_.path() / "unclean").string() + " ] && { p=$(head -1 " +
                    (data() / "postmaster.pid").string() +
                    "); kill -9 $p; while kill -0 $p 2>/dev/null; do sleep 0.02; done; exit 1; } ;; stop*) echo -n 'stop-immediate ' >> " + log + ";; esac\n");
  change("bindir: " + real.string(), "bindir: " + ours.string());
}

std::string MadeGreen::file(const std::string& name) const {
  return whole(data() / name);
}
std::string MadeGreen::marker() const {
  return file("verdigris.provision");
}

bool MadeGreen::is_running() const {
  const pid_t pid = postmaster_in(data());
  return pid > 0 && ::kill(pid, 0) == 0;
}

void MadeGreen::start_by_hand() const {
  const auto pg_ctl = (find_postgres(major_, toolchain_bindirs())->bindir / "pg_ctl").string();
  const auto started = run_tool({ServerUser().argv({"/usr/bin/env", "--chdir=/", pg_ctl, "start", "-D", data().string(), "-w", "-s",
                                                    "-l", (data() / "by-hand.log").string()}),
                                 {},
                                 {}},
                                Deadline::after(60s));
  if (started.exit_code != 0) throw Error("test", "pg_ctl: " + started.output + started.errors);
}

// Its backends hold the shared memory until they have noticed: a new postmaster would be refused.
void MadeGreen::kill_postmaster() {
  ::kill(postmaster_in(data()), SIGKILL);
  const auto deadline = soon();
  const auto holds_a_process = [&] {
    for (const auto& entry : fs::directory_iterator("/proc")) {
      std::error_code ignored;
      if (fs::read_symlink(entry.path() / "cwd", ignored) == data()) return true;
    }
    return false;
  };
  while (holds_a_process() && !deadline.has_passed()) std::this_thread::sleep_for(5ms);
}

Connection MadeGreen::green(const std::string& dbname) const {
  const auto conninfo = Conninfo()
                            .with("host", (dir_.path() / "s").string())
                            .with("port", "5433")
                            .with("user", "verdigris")
                            .with("dbname", dbname);
  return Connection::open(conninfo, {"green", "test", false, {}}, soon());
}

std::string MadeGreen::difference() {
  auto here = admin(blue_alone());
  auto there = green();
  for (const std::string table : {"items", "orders"}) {
    const std::string sql =
        "SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY id)) FROM public." + table + " AS t";
    if (const auto a = value(here, sql), b = value(there, sql); a != b)
      return table + ": " + a + " on blue, " + b + " on green";
  }
  return "";
}

bool MadeGreen::follows() {
  const std::string id = std::to_string(100'000 + ++rows_written_);
  auto here = admin(blue_alone());
  run(here, "INSERT INTO public.items VALUES (" + id + ", 'late', 1)");
  auto there = green();
  const auto deadline = soon();
  while (value(there, "SELECT count(*) FROM public.items WHERE id = " + id) != "1") {
    if (deadline.has_passed()) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

}  // namespace verdigris::test
