#include "controller/commands/check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "controller/config.hpp"
#include "controller/deployment.hpp"
#include "controller/exit_codes.hpp"
#include "controller/guardrails.hpp"
#include "healthcheck/report.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kCheckPatience{120'000};

Finding about_pooler(const TrafficState& state) {
  const std::string text =
      state.alias.empty() ? fmt::format("{}: clients -> {}", state.instance, text_of(state.target))
                          : fmt::format("{}: {} -> {}, {} clients waiting", state.instance, state.alias,
                                        text_of(state.target), state.waiting_clients);
  if (state.is_paused)
    return fail("pooler.paused", text + ", paused", "RESUME it, or run verdigris recover if a switch was interrupted.");
  return pass("pooler.state", text);
}

// Once for each process, however many databases it has.
void add_known_faults(Findings& findings, const std::vector<TrafficState>& states) {
  std::string last;
  for (const auto& state : states) {
    if (!state.known_fault.empty() && state.instance != last)
      findings.push_back(warn("pooler.version", state.instance + ": " + state.known_fault, "Upgrade PgBouncer before a switch."));
    last = state.instance;
  }
}

// What the running processes say, and what a switch would ask of them and of their files before anybody waits, but for
// the no-op RELOAD.
Findings ask_poolers(Deployment& d, Deadline deadline) {
  Findings findings;
  try {
    const auto states = d.all_traffic().state(deadline);
    for (const auto& state : states) findings.push_back(about_pooler(state));
    add_known_faults(findings, states);
  } catch (const Error& error) {
    return {fail("pooler.unreachable", error.what(), error.hint())};
  }
  try {
    d.traffic().require_sound(d.endpoint(d.standing().serves), d.playbook().cutover.max_pause, deadline);
    if (d.standing().are_reads_ahead && !d.playbook().pooler.reads.empty()) d.reads_traffic().require_sound(d.endpoint("green"), {}, deadline);
    const bool has_file = d.traffic().abilities().has_file;
    if (!findings.empty())
      findings.push_back(pass("pooler.ready", d.all_traffic().describe() + (has_file ? ": the processes meant, reading the files meant"
                                                                                 : ": clients are led to the side that serves")));
  } catch (const Error& error) {
    const bool is_said = error.id() == "pooler.paused" && std::ranges::any_of(findings, [](const auto& f) { return f.level == Level::fail; });
    if (!is_said) findings.push_back(fail(error.id(), error.what(), error.hint()));
  }
  if (!d.traffic().abilities().is_proven) findings.push_back(note("clients.effect", d.traffic().effect_on_clients()));
  return findings;
}

void print_server(Server& server, Output& output) {
  output.result(fmt::format("{:<6} {}.{}  {}", server.color(), server.version() / 10000, server.version() % 10000,
                            server.endpoint()));
}

void print(const Findings& findings, Output& output) {
  for (const auto& finding : findings) {
    output.result(fmt::format("{}  {:<24} {}", to_text(finding.level), finding.id, finding.text));
    if (finding.level != Level::pass && !finding.hint.empty()) output.result("         HINT:  " + finding.hint);
  }
}

std::string_view json_level(Level level) {
  switch (level) {
    case Level::pass:
      return "pass";
    case Level::warn:
      return "warn";
    case Level::fail:
      return "fail";
    case Level::note:
      break;
  }
  return "note";
}

nlohmann::ordered_json to_json(const Findings& findings, bool is_passed) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& finding : findings)
    list.push_back(
        {{"level", json_level(finding.level)}, {"id", finding.id}, {"text", finding.text}, {"hint", finding.hint}});
  return {{"result", is_passed ? "passed" : "refused"}, {"findings", list}};
}

}  // namespace

int run_check(const Invocation& invocation, Output& output) {
  Deployment d(load_playbook(invocation.playbook), [&](const std::string& text) { output.detail(text); });
  if (invocation.offline) {
    output.document(to_json({}, true));
    output.result("the playbook is well formed; no server was asked");
    return kDone;
  }
  const auto deadline = Deadline::after(invocation.timeout.value_or(kCheckPatience));
  d.connect(deadline, true);  // the servers themselves refuse a write
  d.journal().load(deadline);
  const Standing standing = d.standing();
  const bool is_prepared = standing.phase != Phase::idle || standing.open.has_value();
  Findings findings = ask_guardrails(d, is_prepared, AskedBy::check, deadline);
  for (auto& finding : ask_poolers(d, deadline)) findings.push_back(std::move(finding));
  const CheckVerdict verdict = judge(findings);
  output.document(to_json(findings, verdict.is_passed()));
  print_server(d.blue(), output);
  print_server(d.green(), output);
  print(findings, output);
  output.result(verdict.text());
  return verdict.is_passed() ? kDone : kRefused;
}

}  // namespace verdigris
