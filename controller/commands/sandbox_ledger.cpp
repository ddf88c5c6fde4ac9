#include "controller/commands/sandbox_ledger.hpp"

#include <fmt/format.h>

#include "controller/exit_codes.hpp"
#include "controller/sandbox/ledger_check.hpp"
#include "controller/sandbox/sandbox_state.hpp"

namespace verdigris {

int run_sandbox_ledger(const Invocation& invocation, Output& output) {
  const auto& options = invocation.sandbox_ledger;
  const auto sandbox = require_sandbox(options.dir);
  const auto deadline = Deadline::after(invocation.timeout.value_or(std::chrono::seconds(60)));
  auto side = Connection::open(sandbox.conninfo(sandbox.side(options.side), "verdigris"),
                               {options.side, "verdigris/sandbox/ledger", true, {}}, deadline);
  const auto verdict = check_ledger(read_ledger(options.ledger), side, deadline);
  output.result(fmt::format(
      "{}: {} acknowledged, {} lost, {} duplicated, {} invented, {} half, {} sequence values twice", options.side,
      verdict.acknowledged, verdict.lost, verdict.duplicated, verdict.invented, verdict.half, verdict.sequence_twice));
  for (const auto& example : verdict.examples) output.result("  " + example);
  output.document({{"result", verdict.is_clean() ? "ok" : "differs"},
                   {"side", options.side},
                   {"acknowledged", verdict.acknowledged},
                   {"unknown", verdict.unknown},
                   {"lost", verdict.lost},
                   {"duplicated", verdict.duplicated},
                   {"invented", verdict.invented},
                   {"half", verdict.half},
                   {"sequence_twice", verdict.sequence_twice},
                   {"turns", verdict.turns},
                   {"examples", verdict.examples}});
  return verdict.is_clean() ? kDone : kDiffers;
}

}  // namespace verdigris
