#include "controller/sandbox/demo_fault.hpp"

#include <signal.h>

#include "controller/sandbox/roles.hpp"
#include "replication/connection.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;

// The faults come with the last switch, from blue to green.
const SandboxServer* broken_by(const std::string& fault, const SandboxState& sandbox) {
  if (fault == "source") return &sandbox.blue;
  if (fault == "target") return &sandbox.green;
  if (fault == "pooler") return &sandbox.pooler;
  return nullptr;
}

bool answers(const Conninfo& conninfo) {
  try {
    Connection::open_plain(conninfo, {"sandbox", "verdigris/sandbox/demo", false, {}}, Deadline::after(2s));
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool is_healed(const std::string& fault, const SandboxState& before, const SandboxState& now) {
  const auto* broken = broken_by(fault, before);
  if (broken == nullptr) return true;
  if (broken_by(fault, now)->pid == broken->pid) return false;
  const auto console = now.conninfo(now.pooler, kPoolerAdmin.user).with("dbname", "pgbouncer");
  return answers(now.conninfo(now.blue, "verdigris")) && answers(now.conninfo(now.green, "verdigris")) &&
         answers(console);
}

}  // namespace

std::string description_of(const std::string& fault) {
  if (fault == "controller") return "blue is closed, and the controller is killed";
  if (fault == "source") return "blue is closed, and its server crashes";
  if (fault == "target") return "blue is closed, and green's server crashes";
  return "blue is closed, and the pooler is killed";
}

void make_fault(const std::string& fault, const SandboxState& sandbox, OwnCommand& command) {
  if (const auto* server = broken_by(fault, sandbox))
    ::kill(server->pid, fault == "pooler" ? SIGKILL : SIGQUIT);  // SIGQUIT: PostgreSQL's immediate stop
  else
    command.send(SIGKILL);
}

SandboxState wait_healed(const std::string& fault, const SandboxState& before, const std::function<void()>& pause) {
  const auto deadline = Deadline::after(120s);
  for (;;) {
    auto now = require_sandbox(before.dir);
    if (is_healed(fault, before, now)) return now;
    if (deadline.has_passed()) throw DeadlinePassed("the " + fault + " did not come back");
    pause();
  }
}

}  // namespace verdigris
