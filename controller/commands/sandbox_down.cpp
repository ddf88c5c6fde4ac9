#include "controller/commands/sandbox_down.hpp"

#include "controller/exit_codes.hpp"
#include "controller/sandbox/sandbox.hpp"

namespace verdigris {

int run_sandbox_down(const Invocation& invocation, Output& output) {
  const auto dir = std::filesystem::absolute(invocation.sandbox_down.dir);
  const bool was_there = stop_sandbox(dir, Deadline::after(invocation.timeout.value_or(std::chrono::seconds(60))));
  output.result(was_there ? "sandbox ended, " + dir.string() + " removed" : "no sandbox in " + dir.string());
  output.document({{"result", "done"}, {"was_there", was_there}});
  return kDone;
}

}  // namespace verdigris
