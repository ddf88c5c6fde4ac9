#include "controller/steps/ask_guardrails.hpp"

#include <algorithm>

#include "healthcheck/checks.hpp"
#include "healthcheck/coverage.hpp"
#include "replication/fence.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kNotice{500};  // a wait as long as this could have changed an answer

bool is_failure(const Finding& finding) { return finding.level == Level::fail; }

bool is_about_tables(const Finding& finding) {
  return finding.id == "fence.coverage" || finding.id.starts_with("data.un") || finding.id == "schema.missing-table";
}

}  // namespace

std::string AskGuardrails::describe() const {
  return "ask once more what must hold on " + source_->color() + " and " + target_->color() + " while clients wait";
}

// A table without the fence's trigger would go on taking writes.
Findings AskGuardrails::ask_fences(Deadline deadline) {
  Findings findings;
  for (Server* side : {&*source_, &*target_}) {
    std::vector<std::string> names;
    for (const auto& table : tables_without_fence(side->control(), deadline)) names.push_back(table.display());
    if (!names.empty())
      findings.push_back(fail("fence.coverage", side->color() + ": tables without an enabled fence trigger: " + some_of(names), ""));
  }
  return findings;
}

Findings AskGuardrails::ask(Deadline deadline) {
  Findings all = ask_before_window({*source_, *target_, settings_, true, deadline, true});
  for (auto& finding : ask_fences(deadline)) all.push_back(std::move(finding));
  for (auto& finding : coverage(source_->control(), target_->control(), there_, deadline, settings_.tables))
    all.push_back(std::move(finding));
  if (bypass_.policy != BypassPolicy::refuse) return all;
  if (const auto sessions = bypassing_sessions(*source_, bypass_, deadline); !sessions.empty())
    all.push_back(fail("fence.bypass", describe_bypass(*source_, sessions),
                       "End that client, let it connect through the pooler, or write fence.bypass: wait or terminate."));
  return all;
}

// Before a switch prepare puts missing triggers in place, and abandon begins anew; afterwards neither is there.
std::string AskGuardrails::hint_of(const Finding& finding) const {
  if (!is_about_tables(finding)) return finding.hint;
  if (source_->color() == "blue") return finding.id == "fence.coverage" ? "Run: verdigris prepare" : finding.hint;
  return "Drop what was made on " + source_->color() + " since the switch, or end without a way back: verdigris finish --now";
}

std::optional<Blocked> AskGuardrails::first_failure(Deadline deadline) {
  if (facts_.sessions) facts_.sessions->require_same_catalogs(deadline);  // none in a dry run
  const auto findings = ask(deadline);
  const auto first = std::ranges::find_if(findings, is_failure);
  if (first == findings.end()) return std::nullopt;
  return Blocked{first->id + ": " + first->text, hint_of(*first)};
}

Readiness AskGuardrails::check(Deadline deadline) {
  if (const auto blocked = first_failure(deadline)) return *blocked;
  return Ready{};
}

// Nobody waits half a minute for a session to end only to hear of something else; and after a wait all is asked anew.
std::string AskGuardrails::apply(Deadline deadline) {
  const auto begin = std::chrono::steady_clock::now();
  wait_for_no_bypass(*source_, bypass_, Deadline::after(patience_).or_earlier(deadline), deadline);
  if (std::chrono::steady_clock::now() - begin > kNotice)
    if (const auto blocked = first_failure(deadline)) throw Refused("step.ask_guardrails", blocked->why, blocked->hint);
  return "standbys, other streams, prepared transactions, fences and tables as they must be";
}

}  // namespace verdigris
