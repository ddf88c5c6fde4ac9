#include "controller/steps/warm_up.hpp"

#include <algorithm>

#include "controller/runner_parts.hpp"
#include "controller/steps/copy_sequences.hpp"
#include "healthcheck/checks.hpp"
#include "healthcheck/parity/gaps.hpp"
#include "replication/hot_relations.hpp"
#include "replication/left_out.hpp"

namespace verdigris {

std::string WarmUp::describe() const {
  return "open the sessions that will prove parity, prepare what the window asks, read what " + source_->color() +
         " uses most into the cache of " + target_->color();
}

Readiness WarmUp::check(Deadline deadline) {
  const auto findings = ask_what_is_carried({*source_, *target_, settings_, true, deadline, true});
  const auto first = std::ranges::find(findings, Level::fail, &Finding::level);
  if (first == findings.end()) return Ready{};
  return Blocked{first->id + ": " + first->text, first->hint};
}

// A change between the look and the opening of the sessions would be part of what they agree on.
void WarmUp::require_no_gaps(Deadline deadline) {
  const auto meant = left_out(source_->control(), settings_.deployment, Stream::leaving(source_->color(), settings_.deployment), deadline);
  auto findings = findings_of(facts_.sessions->agreement().gaps, {source_->color(), target_->color(), meant.value_or(std::vector<std::string>{})});
  apply_waivers(settings_.waivers, findings);
  for (const auto& finding : findings)
    if (finding.level == Level::fail) throw Refused(finding.id, finding.text, finding.hint);
}

// On a session of its own, and never a reason to stop: clients would wait a little longer for their first answers.
std::string WarmUp::warm_cache(Deadline deadline) {
  const WarmLimits limits;
  const auto hot = hot_relations(source_->control(), limits.most_relations, deadline);
  if (hot.empty()) return "nothing to read into the cache of " + target_->color();
  try {
    const auto soon = Deadline::after(limits.budget).or_earlier(deadline);
    auto session = target_->open("warm", soon, true);
    return target_->color() + ": " + warm(session, hot, limits).describe();
  } catch (const Error& error) {
    return std::string("the cache of ") + target_->color() + " is not warmed: " + error.what();
  }
}

std::string WarmUp::apply(Deadline deadline) {
  if (is_followed(deadline)) return "goes on; " + warm_cache(deadline);
  facts_.sessions.reset();  // of before a wait: never twice as many at once
  facts_.sessions = std::make_unique<ParitySessions>(*source_, *target_, workers_, deadline, settings_.tables);
  require_no_gaps(deadline);
  sequences_of(facts_, source_, target_).prepare(deadline);
  return std::to_string(workers_) + " sessions on each side; " + warm_cache(deadline);
}

// What follows changes by these sessions was begun before a wait, and goes on unless they are lost.
bool WarmUp::is_followed(Deadline deadline) {
  if (!facts_.rolling) return false;
  try {
    facts_.rolling->look();
    facts_.sessions->require_same_catalogs(deadline);
    return true;
  } catch (const Error& error) {
    if (!may_mend_itself(error)) throw;
    facts_.rolling.reset();
    return false;
  }
}

void WarmUp::undo(Deadline) {
  facts_.rolling.reset();
  facts_.sessions.reset();
  facts_.sequences.reset();
}

}  // namespace verdigris
