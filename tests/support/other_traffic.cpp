#include "tests/support/other_traffic.hpp"

#include <thread>

#include "replication/errors.hpp"
#include "tests/support/pgbouncer_driver.hpp"

namespace verdigris::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* kProgram = "/usr/sbin/haproxy";

std::string socket_of(const PostgresServer& server) {
  return "unix@" + (server.dir() / (".s.PGSQL." + std::to_string(server.port()))).string();
}

// Stands before the shipped script and does what the file "fault" says: how, how often, when.
constexpr const char* kFaulty = R"(#!/bin/sh
here=$(dirname "$0")
if [ -e "$here/fault" ]; then
  read -r how left when <"$here/fault"
  case "$*" in
    *" $when")
      if [ "$left" -gt 0 ]; then
        echo "$how $((left - 1)) $when" >"$here/fault"
        case $how in
          fail) echo "no, thanks" >&2; exit 3 ;;
          hang) sleep 600 ;;
          deaf) trap '' TERM; sleep 600 ;;
          nothing) exit 0 ;;
          elsewhere) echo elsewhere:1; exit 0 ;;
        esac
      fi ;;
  esac
fi
exec "$here/lead" "$@"
)";

void write_program(const fs::path& file, const std::string& text) {
  write(file, text);
  fs::permissions(file, fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec);
}

}  // namespace

bool have_haproxy() { return fs::exists(kProgram); }

HaproxyProcess::HaproxyProcess(const fs::path& dir, const PostgresServer& blue, const PostgresServer& green) : dir_(dir) {
  fs::create_directories(dir_);
  write_program(dir_ / "lead", read(fs::path(VERDIGRIS_SOURCE_DIR) / "playbooks/haproxy/lead"));
  write_program(dir_ / "faulty", kFaulty);
  write(config(), "global\n  stats socket " + (dir_ / "admin.sock").string() + " mode 600 level admin\n  maxconn 200\n" +
                      "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n" +
                      "frontend clients\n  bind unix@" + (dir_ / ".s.PGSQL.6432").string() + "\n  default_backend shop\n" +
                      "backend shop\n  server blue " + socket_of(blue) + "\n  server green " + socket_of(green) +
                      " disabled\n");
}

void HaproxyProcess::start() {
  process_ = ChildProcess::start({.argv = {kProgram, "-db", "-f", config().string()},
                                  .output = dir_ / "haproxy.log",
                                  .death_signal = SIGTERM});
  for (const auto deadline = soon(); run_lead({"show"}).exit_code != 0; std::this_thread::sleep_for(10ms))
    if (!process_->is_running() || deadline.has_passed()) throw Error("test", "no HAProxy: " + read(dir_ / "haproxy.log"));
}

void HaproxyProcess::stop() { process_.reset(); }

std::vector<std::string> HaproxyProcess::options() const {
  return {"--socket", (dir_ / "admin.sock").string(), "--backend", "shop", "--config", config().string()};
}

std::string HaproxyProcess::lead(const std::vector<std::string>& arguments) const {
  std::string text = "[" + (dir_ / "faulty").string();
  for (const auto& option : options()) text += ", " + option;
  for (const auto& argument : arguments) text += ", " + argument;
  return text + "]";
}

ToolResult HaproxyProcess::run_lead(std::vector<std::string> arguments) const {
  std::vector<std::string> argv{(dir_ / "lead").string()};
  for (const auto& option : options()) argv.push_back(option);
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_tool({argv, {}, {}}, soon());
}

void HaproxyProcess::misbehave(const std::string& how, const std::string& when, int times) const {
  write(dir_ / "fault", how + " " + std::to_string(times) + " " + when + "\n");
}

void HaproxyProcess::behave() const { fs::remove(dir_ / "fault"); }

void choose_pooler(const Shop& shop, const std::string& section) {
  const auto text = read(shop.playbook());
  const auto begin = text.find("pooler:\n");
  const auto end = text.find("cutover:");
  write(shop.playbook(), text.substr(0, begin) + section + text.substr(end));
}

std::string command_section(const HaproxyProcess& haproxy, const std::string& timeout, const std::string& more) {
  return "pooler:\n  driver: command\n  command:\n    set_target: { argv: " + haproxy.lead({"set", "\"{color}\""}) +
         ", timeout: " + timeout + " }\n    show_target: { argv: " + haproxy.lead({"show"}) + ", timeout: " + timeout +
         " }\n" + more;
}

void lead_load_through(const Shop& shop, const fs::path& socket_dir, int port) {
  auto state = require_sandbox(shop.dir());
  state.pooler.host = socket_dir.string();
  state.pooler.port = port;
  write_state(state);
}

}  // namespace verdigris::test
