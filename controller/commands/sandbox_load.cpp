#include "controller/commands/sandbox_load.hpp"

#include <fmt/format.h>

#include "controller/exit_codes.hpp"
#include "controller/sandbox/load.hpp"

namespace verdigris {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const DirectTally& tally) {
  return {{"acknowledged", tally.acknowledged},
          {"refused", tally.refused},
          {"unreachable", tally.unreachable},
          {"unknown", tally.unknown}};
}

void print(LoadSummary& summary, Output& output) {
  auto& pooled = summary.pooled;
  const double p50 = quantile_of(pooled.waits_ms, 0.5);
  const double p99 = quantile_of(pooled.waits_ms, 0.99);
  output.result(
      fmt::format("{:.0f} s: {} transactions acknowledged, {} errors, {} of unknown outcome\n"
                  "wait: median {:.1f} ms, 99 % {:.1f} ms, longest {:.0f} ms (began at {:.1f} s)",
                  summary.seconds, pooled.acknowledged, pooled.errors, pooled.unknown, p50, p99, pooled.longest_wait_ms,
                  pooled.longest_wait_at));
  for (const auto& text : pooled.error_texts) output.result("  error at " + text);
  for (const auto& [name, tally] : {std::pair{"blue", summary.blue}, std::pair{"green", summary.green}})
    output.result(fmt::format("beside the pooler, to {}: {} acknowledged, {} refused, {} not reached", name,
                              tally.acknowledged, tally.refused, tally.unreachable));
  output.document({{"result", "done"},
                   {"seconds", summary.seconds},
                   {"acknowledged", pooled.acknowledged},
                   {"unknown", pooled.unknown},
                   {"client_errors", pooled.errors},
                   {"errors", pooled.error_texts},
                   {"median_wait_ms", p50},
                   {"p99_wait_ms", p99},
                   {"longest_wait_ms", pooled.longest_wait_ms},
                   {"longest_wait_at_s", pooled.longest_wait_at},
                   {"longest_lateness_ms", pooled.longest_lateness_ms},
                   {"direct", {{"blue", to_json(summary.blue)}, {"green", to_json(summary.green)}}}});
}

}  // namespace

int run_sandbox_load(const Invocation& invocation, Output& output) {
  const auto& options = invocation.sandbox_load;
  const auto sandbox = require_sandbox(options.dir);
  Interruption interruption;
  auto summary = run_load(sandbox,
                          {.rate = options.rate,
                           .seconds = options.seconds,
                           .clients = options.clients,
                           .first_writer = options.first_writer,
                           .slow_percent = options.slow_percent,
                           .ledger = options.ledger.empty() ? sandbox.ledger() : options.ledger,
                           .waits = options.waits,
                           .has_direct_writers = !options.only_pooled,
                           .direct_rest = std::chrono::milliseconds(options.direct_rest_ms)},
                          interruption);
  print(summary, output);
  return kDone;
}

}  // namespace verdigris
