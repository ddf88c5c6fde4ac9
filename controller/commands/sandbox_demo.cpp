#include "controller/commands/sandbox_demo.hpp"

#include "controller/exit_codes.hpp"
#include "controller/sandbox/demo.hpp"

namespace verdigris {

int run_sandbox_demo(const Invocation& invocation, Output& output) {
  Interruption interruption;
  const auto findings = run_demo(invocation.sandbox_demo, interruption, output);
  if (!findings) {
    output.note("interrupted; nothing is left running");
    output.document_line({{"result", "interrupted"}});
    return 128 + interruption.signal().value_or(0);
  }
  const auto verdict = judge(*findings);
  print_demo(*findings, verdict, output);
  return verdict.exit_code;
}

}  // namespace verdigris
