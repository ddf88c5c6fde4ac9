// Ways to a shop's servers past its PgBouncer: a HAProxy of our own that the shipped script leads, and the section of the
// playbook that says so. One thread; the destructor ends the process.
#pragma once

#include "controller/process.hpp"
#include "tests/support/shop.hpp"

namespace verdigris::test {

bool have_haproxy();

// In the file of a backend "shop", servers "blue" and "green", of which green is disabled.
class HaproxyProcess {
 public:
  HaproxyProcess(const std::filesystem::path& dir, const PostgresServer& blue, const PostgresServer& green);

  void start();  // returns when its socket for clients is there
  void stop();
  const std::filesystem::path& dir() const { return dir_; }  // of the clients' socket, port 6432
  std::filesystem::path config() const { return dir_ / "haproxy.cfg"; }
  // argv of the script for the playbook: lead({"set", "\"{color}\""}) is "[/.../lead, --socket, ..., set, "{color}"]".
  std::string lead(const std::vector<std::string>& arguments) const;
  // Runs the script, without the faults of misbehave().
  ToolResult run_lead(std::vector<std::string> arguments) const;

  // From now on what the script is asked is met so, as often as said: "fail", "hang", "deaf" (and no TERM heard), "nothing" (success without an act),
  // "elsewhere" (a made-up answer). `when` are its last words: "set green", "show".
  void misbehave(const std::string& how, const std::string& when, int times = 1'000'000) const;
  void behave() const;

 private:
  std::vector<std::string> options() const;
  std::filesystem::path dir_;
  std::optional<ChildProcess> process_;
};

// Puts `section` in the place of the playbook's section "pooler".
void choose_pooler(const Shop& shop, const std::string& section);
// The section for the script; `more` are further lines of pooler.command.
std::string command_section(const HaproxyProcess& haproxy, const std::string& timeout, const std::string& more = {});
// From now on the load's pooled clients log in here.
void lead_load_through(const Shop& shop, const std::filesystem::path& socket_dir, int port);

}  // namespace verdigris::test
