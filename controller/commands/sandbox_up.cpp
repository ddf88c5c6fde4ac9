#include "controller/commands/sandbox_up.hpp"

#include <fmt/format.h>

#include "controller/exit_codes.hpp"
#include "controller/sandbox/sandbox.hpp"
#include "controller/sandbox/supervisor.hpp"

namespace verdigris {
namespace {

void print(const SandboxState& state, bool is_new, Output& output) {
  output.result(fmt::format("blue   {}\ngreen  {}\nplaybook {}", state.blue.version, state.green.version,
                            state.playbook().string()));
  output.result(fmt::format("End it with: verdigris sandbox down --dir {}", state.dir.string()));
  output.document({{"result", "done"},
                   {"is_new", is_new},
                   {"dir", state.dir.string()},
                   {"playbook", state.playbook().string()},
                   {"blue", state.blue.version},
                   {"green", state.green.version}});
}

}  // namespace

int run_sandbox_up(const Invocation& invocation, Output& output) {
  auto options = invocation.sandbox_up;
  options.dir = std::filesystem::absolute(options.dir.empty() ? default_sandbox_dir() : options.dir);
  if (find_supervisor(options.dir)) {
    output.note(options.dir.string() + " holds a sandbox that runs already");
    print(require_sandbox(options.dir), false, output);
    return kDone;
  }
  Interruption interruption;
  auto supervisor = start_supervisor(options, Lifetime::of_its_own);
  const auto state = wait_ready(supervisor, options.dir, interruption, output);
  if (!state) return kInterrupted;
  supervisor.detach();
  print(*state, true, output);
  return kDone;
}

}  // namespace verdigris
