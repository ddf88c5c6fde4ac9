#include "controller/sandbox/demo_report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace verdigris {
namespace {

using Json = nlohmann::ordered_json;

struct Parity {
  std::string verdict = "unknown";
  std::int64_t tables_compared = 0;
  std::size_t uncovered = 0;
};

std::size_t size_of(const Json& list) {
  return list.is_array() ? list.size() : 0;
}

// Of all comparisons together: the worst verdict, the fewest tables.
class ParitySum {
 public:
  void add(const std::string& verdict, std::int64_t tables, std::size_t uncovered) {
    const bool is_first = sum_.verdict == "unknown" && count_ == 0;
    sum_.tables_compared = is_first ? tables : std::min(sum_.tables_compared, tables);
    sum_.uncovered = std::max(sum_.uncovered, uncovered);
    if (is_first || sum_.verdict == "equal") sum_.verdict = verdict;
    if (verdict == "different" || verdict == "differs") sum_.verdict = "different";
    ++count_;
  }
  const Parity& sum() const { return sum_; }

 private:
  Parity sum_;
  int count_ = 0;
};

Parity parity_of(const DemoFindings& findings) {
  ParitySum sum;
  if (findings.verify)
    sum.add(findings.verify->get<std::string>("result", "unknown"),
            findings.verify->get<std::int64_t>("tables_compared", 0),
            size_of(findings.verify->get<Json>("uncovered", {})));
  for (const auto& crossing : findings.crossings) {
    if (crossing.command == "recover") continue;  // it goes on behind the proof of the command that was killed
    const CommandResult parity{.command = {}, .json = crossing.get<Json>("parity", {}), .errors_tail = {}};
    sum.add(parity.get<std::string>("verdict", "unknown"), parity.get<std::int64_t>("tables", 0),
            size_of(parity.get<Json>("uncovered", {})));
  }
  return sum.sum();
}

Json worst_pause(const DemoFindings& findings, const std::string& command) {
  double worst = -1;
  for (const auto& crossing : findings.crossings)
    if (crossing.command == command) worst = std::max(worst, crossing.get<double>("pause_ms", -1));
  return worst < 0 ? Json(nullptr) : Json(worst);
}

std::int64_t count(const std::optional<CommandResult>& of, const char* name) {
  return of ? of->get<std::int64_t>(name, 0) : 0;
}

// Of clients: those of the source, should one be in use, and all of a pooler's. Other faults they only wait out.
bool breaks_connections(const DemoFindings& findings) {
  return findings.fault && (findings.fault->kind == "source" || findings.fault->kind == "pooler");
}

void add_ledger_reasons(const DemoFindings& findings, std::vector<std::string>& reasons) {
  if (!findings.ledger || findings.ledger->json.is_null()) {
    reasons.emplace_back("the ledger was not checked");
    return;
  }
  for (const char* name : {"lost", "duplicated", "invented", "half", "sequence_twice"})
    if (const auto found = count(findings.ledger, name); found > 0)
      reasons.push_back(fmt::format("ledger: {} {}", found, name));
  if (count(findings.ledger, "acknowledged") == 0) reasons.emplace_back("ledger: nothing was acknowledged");
  if (const auto turns = count(findings.ledger, "turns"); turns > findings.switches)
    reasons.push_back(fmt::format("both sides took writes at once: {} turns in {} switches", turns, findings.switches));
}

void add_parity_reasons(const DemoFindings& findings, std::vector<std::string>& reasons) {
  const auto parity = parity_of(findings);
  if (parity.verdict != "equal") reasons.push_back("parity: " + parity.verdict);
  if (parity.tables_compared != findings.tables || parity.uncovered > 0)
    reasons.push_back(fmt::format("parity: {} of {} tables compared, {} uncovered", parity.tables_compared,
                                  findings.tables, parity.uncovered));
}

// By beginning: a fault comes while a command runs that is noted when it has ended.
std::vector<DemoEvent> in_order(std::vector<DemoEvent> events) {
  std::stable_sort(events.begin(), events.end(), [](const auto& one, const auto& other) { return one.at < other.at; });
  return events;
}

void print_timeline(const DemoFindings& findings, Output& output) {
  output.result(fmt::format("\nPostgreSQL {} (blue) to {} (green), {} tables, {} MB, {} transactions a second\n",
                            findings.blue_version, findings.green_version, findings.tables, findings.megabytes,
                            findings.rate));
  output.result(fmt::format("{:>9} {:>9}", "at", "took"));
  for (const auto& event : in_order(findings.timeline))
    output.result(fmt::format("{:>7.1f} s {:>7.1f} s  {}", event.at, event.took, event.text));
}

// A column for each crossing, a row for each part.
void print_pauses(const DemoFindings& findings, Output& output) {
  if (findings.crossings.empty()) return;
  std::string head = fmt::format("\n{:<24}", "milliseconds");
  std::string held = fmt::format("{:<24}", "CLIENTS HELD");
  std::string waiting = fmt::format("{:<24}", "clients waiting");
  std::vector<std::string> steps;
  for (const auto& crossing : findings.crossings) {
    head += fmt::format("{:>10}", crossing.command);
    const auto ms = crossing.get<double>("pause_ms", -1);  // none where another process began the pause
    held += ms < 0 ? fmt::format("{:>10}", "") : fmt::format("{:>10.1f}", ms);
    waiting += fmt::format("{:>10}", crossing.get<std::int64_t>("waiting_clients", 0));
    for (const auto& part : crossing.get<Json>("parts", Json::array())) {
      const auto step = part.value("step", "");
      if (std::find(steps.begin(), steps.end(), step) == steps.end()) steps.push_back(step);
    }
  }
  output.result(head);
  for (const auto& step : steps) {
    std::string line = fmt::format("{:<24}", step);
    for (const auto& crossing : findings.crossings) {
      std::string cell;
      for (const auto& part : crossing.get<Json>("parts", Json::array()))
        if (part.value("step", "") == step) cell = fmt::format("{:.1f}", part.value("ms", 0.0));
      line += fmt::format("{:>10}", cell);
    }
    output.result(line);
  }
  output.result(held);
  output.result(waiting);
}

// "0.123 s: text" each; of one text the first time and how often, and of each its first line.
std::vector<std::string> told_once(const std::vector<std::string>& errors) {
  std::vector<std::pair<std::string, int>> found;
  for (const auto& error : errors) {
    std::string text = error.substr(std::min(error.size(), error.find(": ") + 2));
    text.resize(std::min(text.size(), text.find('\n')));
    const auto same = std::find_if(found.begin(), found.end(), [&](const auto& one) { return one.first == text; });
    if (same == found.end())
      found.emplace_back(text, 1);
    else
      ++same->second;
  }
  std::vector<std::string> result;
  for (const auto& [text, times] : found) result.push_back(times == 1 ? text : fmt::format("{} times {}", times, text));
  return result;
}

void print_clients(const DemoFindings& findings, Output& output) {
  if (!findings.load) return;
  output.result(fmt::format("\nclients        {} transactions acknowledged, {} errors, longest wait {:.0f} ms",
                            count(findings.load, "acknowledged"), count(findings.load, "client_errors"),
                            findings.load->get<double>("longest_wait_ms", 0)));
  if (count(findings.load, "client_errors") > 0 && breaks_connections(findings))
    output.result(fmt::format("  expected: the {} ended, and the connections through it", findings.fault->kind));
  for (const auto& text : told_once(findings.load->get<std::vector<std::string>>("errors", {})))
    output.result("  " + text);
  const auto direct = findings.load->get<Json>("direct", Json::object());
  for (const char* side : {"blue", "green"}) {
    const CommandResult tally{.command = {}, .json = direct.value(side, Json::object()), .errors_tail = {}};
    output.result(fmt::format("past the pooler {:<6} {} acknowledged, {} refused", side,
                              tally.get<std::int64_t>("acknowledged", 0), tally.get<std::int64_t>("refused", 0)));
  }
}

void print_proofs(const DemoFindings& findings, Output& output) {
  const auto parity = parity_of(findings);
  output.result(fmt::format("ledger         {}: {} acknowledged, {} lost, {} duplicated", findings.serves,
                            count(findings.ledger, "acknowledged"), count(findings.ledger, "lost"),
                            count(findings.ledger, "duplicated")));
  output.result(fmt::format("parity         {}, {} of {} tables compared, {} uncovered", parity.verdict,
                            parity.tables_compared, findings.tables, parity.uncovered));
}

Json fault_json(const DemoFindings& findings) {
  if (!findings.fault) return nullptr;
  return {{"kind", findings.fault->kind}, {"switch", findings.fault->ending}, {"recover", findings.fault->recovery}};
}

// Whether clients were really held each time: without a client waiting, a pause proves nothing.
Json crossings_json(const DemoFindings& findings) {
  Json list = Json::array();
  for (const auto& crossing : findings.crossings) {
    const auto ms = crossing.get<double>("pause_ms", -1);
    list.push_back({{"command", crossing.command}, {"pause_ms", ms < 0 ? Json(nullptr) : Json(ms)},
                    {"waiting_clients", crossing.get<std::int64_t>("waiting_clients", 0)}});
  }
  return list;
}

Json to_json(const DemoFindings& findings, const DemoVerdict& verdict) {
  const auto parity = parity_of(findings);
  Json timeline = Json::array();
  for (const auto& event : in_order(findings.timeline))
    timeline.push_back({{"at_s", event.at}, {"took_s", event.took}, {"text", event.text}});
  Json body{{"result", verdict.result},
            {"pause_ms", worst_pause(findings, "switch")},
            {"rollback_pause_ms", worst_pause(findings, "rollback")},
            {"longest_client_wait_ms", findings.load ? Json(findings.load->get<double>("longest_wait_ms", 0)) : Json()},
            {"client_errors", count(findings.load, "client_errors")},
            {"acknowledged", count(findings.ledger, "acknowledged")}};
  for (const char* name : {"lost", "duplicated", "unknown", "invented", "half", "sequence_twice"})
    body[name] = count(findings.ledger, name);
  body.update(Json{{"parity", parity.verdict},
                   {"tables", findings.tables},
                   {"tables_compared", parity.tables_compared},
                   {"uncovered", parity.uncovered},
                   {"serves", findings.serves},
                   {"blue", findings.blue_version},
                   {"green", findings.green_version},
                   {"direct", findings.load ? findings.load->get<Json>("direct", {}) : Json()},
                   {"crossings", crossings_json(findings)},
                   {"fault", fault_json(findings)},
                   {"reasons", verdict.reasons},
                   {"timeline", timeline},
                   {"report", nullptr}});
  return body;
}

}  // namespace

DemoVerdict judge(const DemoFindings& findings) {
  DemoVerdict verdict{"ok", kDone, {}};
  if (findings.failure)
    verdict.reasons.push_back(
        fmt::format("{} ended with exit code {}", findings.failure->command, findings.failure->exit_code));
  add_ledger_reasons(findings, verdict.reasons);
  add_parity_reasons(findings, verdict.reasons);
  const auto errors = count(findings.load, "client_errors");
  if (errors > 0 && !breaks_connections(findings)) verdict.reasons.push_back(fmt::format("{} client errors", errors));
  if (verdict.reasons.empty()) return verdict;
  verdict.result = "failed";
  verdict.exit_code = findings.failure ? kFailed : kDiffers;
  if (findings.failure && findings.failure->exit_code == kUndone) verdict = {"undone", kUndone, verdict.reasons};
  if (findings.failure && findings.failure->exit_code == kNeedsHuman) verdict = {"human", kNeedsHuman, verdict.reasons};
  return verdict;
}

void print_demo(const DemoFindings& findings, const DemoVerdict& verdict, Output& output) {
  print_timeline(findings, output);
  print_pauses(findings, output);
  print_clients(findings, output);
  print_proofs(findings, output);
  output.result(fmt::format("verdict        {}", verdict.result));
  for (const auto& reason : verdict.reasons) output.result("  " + reason);
  output.document_line(to_json(findings, verdict));
}

}  // namespace verdigris
