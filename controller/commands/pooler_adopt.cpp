#include "controller/commands/pooler_adopt.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "controller/config.hpp"
#include "controller/confirmation.hpp"
#include "controller/deployment.hpp"
#include "controller/exit_codes.hpp"
#include "controller/pgbouncer_adoption.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kAdoptionPatience{60'000};
constexpr std::chrono::milliseconds kLeasePatience{2'000};

using Adoptions = std::vector<PgBouncerAdoption>;

void require_no_open_plan(const Standing& standing) {
  if (!standing.open) return;
  throw Refused("pooler.plan-open", "a " + standing.open->command + " is not complete, and may yet change the poolers' files",
                "Complete it first: verdigris status says how.");
}

Adoptions look_at_all(const PoolerSettings& settings, Deadline deadline) {
  Adoptions all;
  for (const auto& instance : settings.instances) {
    all.emplace_back(instance, settings.all_names());
    all.back().look(deadline);
  }
  return all;
}

Json to_json(PgBouncerAdoption& one, const std::string& state) {
  return {{"instance", one.name()}, {"state", state}, {"file", one.main_file()}, {"include", one.included_file()},
          {"include_line", include_line(one.included_file())}, {"lines", one.places()}, {"diff", one.diff()}};
}

void print_change(PgBouncerAdoption& one, Output& output) {
  output.result("pooler " + one.name() + ":");
  const std::string diff = one.diff();
  for (std::size_t at = 0; at < diff.size();) {
    const auto end = std::min(diff.find('\n', at), diff.size());
    output.result("  " + diff.substr(at, end - at));
    at = end + 1;
  }
}

// For who makes the main file from a template: it says what it said, but for these lines.
void print_template(PgBouncerAdoption& one, Output& output) {
  output.result(fmt::format("pooler {}: in the template of {}, remove what stands at {}, and let this be the last line:", one.name(),
                            one.main_file(), fmt::join(one.places(), ", ")));
  output.result(include_line(one.included_file()));
}

int report(Adoptions& all, const Invocation& invocation, const std::string& result, const std::string& state, Output& output) {
  Json poolers = Json::array();
  for (auto& one : all) poolers.push_back(to_json(one, one.is_adopted() ? "adopted_before" : state));
  output.document({{"result", result}, {"dry_run", invocation.dry_run}, {"poolers", poolers}});
  return kDone;
}

int write_for_template(Adoptions& all, const Invocation& invocation, Output& output) {
  for (auto& one : all) {
    if (one.is_adopted()) continue;
    one.write_included();
    print_template(one, output);
  }
  output.result("Until the main file reads it no switch is begun. Once it does: verdigris pooler adopt");
  return report(all, invocation, "done", "included_file_written", output);
}

int adopt(Adoptions& all, const Invocation& invocation, Deadline deadline, Output& output) {
  for (auto& one : all) {
    one.apply(deadline);
    output.result(one.is_adopted() ? "pooler " + one.name() + " reads " + one.included_file() + " already."
                                   : "ADOPTED by pooler " + one.name() + ": " + one.included_file());
  }
  output.result("If a template makes the main file, it must end with the line %include, and define the databases no more.");
  return report(all, invocation, "done", "adopted", output);
}

}  // namespace

int run_pooler_adopt(const Invocation& invocation, Output& output) {
  Deployment d(load_playbook(invocation.playbook), [&](const std::string& text) { output.note(text); });
  if (d.playbook().pooler.driver != "pgbouncer")
    throw Refused("pooler.driver", "the playbook names no PgBouncer (driver: " + d.playbook().pooler.driver + ")",
                  "Only files of PgBouncer can be adopted.");
  const auto deadline = Deadline::after(invocation.timeout.value_or(kAdoptionPatience));
  d.connect(deadline, true);  // nothing is written there; but no switch may begin meanwhile
  if (!invocation.dry_run) d.take_leases(kLeasePatience, deadline);
  d.journal().load(deadline);
  require_no_open_plan(d.standing());
  auto all = look_at_all(d.playbook().pooler, deadline);
  const bool is_all_adopted = std::ranges::all_of(all, [](const auto& one) { return one.is_adopted(); });
  for (auto& one : all)
    if (!one.is_adopted()) print_change(one, output);
  if (invocation.dry_run) {
    output.result(is_all_adopted ? "All is adopted already." : "Nothing was done (--dry-run).");
    return report(all, invocation, is_all_adopted ? "nothing_to_do" : "planned", "planned", output);
  }
  if (is_all_adopted) {
    adopt(all, invocation, deadline, output);
    return kDone;
  }
  if (invocation.include_only) return write_for_template(all, invocation, output);
  if (!is_agreed(invocation, "Change these files and RELOAD?", output)) {
    for (auto& one : all)
      if (!one.is_adopted()) print_template(one, output);
    output.result("Nothing was done. With a template: verdigris pooler adopt --include-only, then the template, then verdigris pooler adopt");
    return report(all, invocation, "nothing_done", "in_place", output);
  }
  return adopt(all, invocation, deadline, output);
}

}  // namespace verdigris
