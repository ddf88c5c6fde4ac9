#include "bench/figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "replication/errors.hpp"

namespace verdigris::bench {
namespace {

constexpr const char* kParity = "prove_parity";
constexpr const char* kFirst = "pause_traffic";  // sends PAUSE
constexpr const char* kLast = "move_traffic";    // sends RESUME
constexpr const char* kRemainder = "between steps";

double round_to(double value, int places) {
  const double scale = std::pow(10.0, places);
  return std::round(value * scale) / scale;
}

Json pause_json(const Spread& spread) {
  return {{"p50", round_to(spread.p50, 1)},
          {"p95", round_to(spread.p95, 1)},
          {"min", round_to(spread.min, 1)},
          {"max", round_to(spread.max, 1)}};
}

template <class Get>
Spread spread_over(const Tally& tally, Get get) {
  std::vector<double> values;
  for (const auto& crossing : tally.crossings)
    if (crossing.is_done) values.push_back(get(crossing));
  return spread_of(std::move(values));
}

Spread pauses(const Tally& tally) {
  return spread_over(tally, [](const Crossing& one) { return one.pause_ms; });
}

Spread parities(const Tally& tally) {
  return spread_over(tally, [](const Crossing& one) { return one.parity_ms; });
}

// In the order in which they first appear.
std::vector<std::string> steps_of(const Tally& tally) {
  std::vector<std::string> steps;
  for (const auto& crossing : tally.crossings)
    for (const auto& part : crossing.parts)
      if (std::find(steps.begin(), steps.end(), part.step) == steps.end()) steps.push_back(part.step);
  return steps;
}

// A crossing in which the step had nothing to do counts with 0.
Spread part_spread(const Tally& tally, const std::string& step) {
  return spread_over(tally, [&](const Crossing& one) {
    double sum = 0;
    for (const auto& part : one.parts)
      if (part.step == step) sum += part.ms;
    return sum;
  });
}

std::int64_t cutovers(const Tally& tally) {
  return std::count_if(tally.crossings.begin(), tally.crossings.end(), [](const auto& one) { return one.is_done; });
}

std::int64_t put_back(const Tally& tally) {
  return static_cast<std::int64_t>(tally.crossings.size()) - cutovers(tally);
}

// Those that never came to a pause count with 0.
Spread pauses_of_put_back(const Tally& tally) {
  std::vector<double> values;
  for (const auto& crossing : tally.crossings)
    if (!crossing.is_done) values.push_back(crossing.pause_ms);
  return spread_of(std::move(values));
}

double cpu_seconds(const Tally& tally) {
  double sum = 0;
  for (const auto& crossing : tally.crossings) sum += crossing.cpu_seconds;
  return sum;
}

void add_remainder(Crossing& crossing) {
  double accounted = 0;
  for (const auto& part : crossing.parts) accounted += part.ms;
  crossing.parts.push_back({kRemainder, crossing.pause_ms - accounted});
}

template <class Cell>
std::string row(const std::string& head, const std::vector<Tally>& tallies, Cell cell) {
  std::string line = fmt::format("  {:<26}", head);
  for (const auto& tally : tallies) line += fmt::format("{:>26}", cell(tally));
  return line + "\n";
}

std::string pause_cell(const Spread& spread) {
  return fmt::format("{:.1f} / {:.1f} / {:.1f}", spread.p50, spread.p95, spread.max);
}

std::string parts_text(const Tally& tally) {
  std::string line = fmt::format("  {} by part (median ms):", tally.contestant);
  for (const auto& step : steps_of(tally)) line += fmt::format(" {} {:.1f}", step, part_spread(tally, step).p50);
  return line + "\n";
}

std::string ratio_text(const std::vector<Tally>& tallies) {
  std::string text;
  const double ours = tallies.empty() ? 0 : pauses(tallies.front()).p50;
  for (std::size_t i = 1; i < tallies.size(); ++i)
    if (ours > 0)
      text += fmt::format("  median pause: {} holds clients {:.1f} times as long as {}\n", tallies[i].contestant,
                          pauses(tallies[i]).p50 / ours, tallies.front().contestant);
  return text;
}

}  // namespace

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
    return values[std::max<std::size_t>(rank, 1) - 1];
  };
  return {at(0.50), at(0.95), at(0.99), values.front(), values.back()};
}

Crossing crossing_of_program(const Json& report) {
  Crossing crossing;
  const bool has_paused = report.is_object() && report.contains("pause_ms") && report.at("pause_ms").is_number();
  if (has_paused) crossing.pause_ms = report.at("pause_ms").get<double>();
  if (!has_paused || report.value("result", "") != "done") {
    crossing.account = report.is_object() ? report.value("reason", "no report") : "no report";
    return crossing;
  }
  bool is_in_window = false;
  bool has_ended = false;
  for (const auto& part : report.value("parts", Json::array())) {
    const auto step = part.value("step", "");
    const double ms = part.value("ms", 0.0);
    is_in_window = (is_in_window || step == kFirst) && !has_ended;
    has_ended = has_ended || step == kLast;
    if (is_in_window && step == kParity) crossing.parity_ms = ms;
    if (is_in_window && step != kParity) crossing.parts.push_back({step, ms});
  }
  // A plan whose words have changed: figures by part would be wrong without a word.
  if (crossing.parts.empty() || !has_ended)
    throw Error("bench.report", fmt::format("the report has no pause from {} to {}", kFirst, kLast));
  crossing.is_done = true;
  crossing.pause_ms -= crossing.parity_ms;
  add_remainder(crossing);
  return crossing;
}

Crossing crossing_of_recipe(const Json& line) {
  Crossing crossing;
  if (!line.is_object() || !line.contains("pause_ms")) {
    crossing.account = "the script printed no figures";
    return crossing;
  }
  crossing.is_done = true;
  crossing.pause_ms = line.at("pause_ms").get<double>();
  for (const auto& part : line.value("parts", Json::array()))
    crossing.parts.push_back({part.value("step", ""), part.value("ms", 0.0)});
  add_remainder(crossing);
  return crossing;
}

Json json_of(const Scene& scene, const Tally& tally) {
  Json parts = Json::object();
  for (const auto& step : steps_of(tally)) parts[step] = pause_json(part_spread(tally, step));
  const auto waits = spread_of(tally.client_waits_ms);
  const auto parity = parities(tally);
  Json result{{"bench", "stall"},
              {"contestant", tally.contestant},
              {"majors", scene.majors},
              {"tables", scene.tables},
              {"dataset", scene.dataset},
              {"load_average", round_to(scene.load_average, 1)},
              {"pause_ms", pause_json(pauses(tally))},
              {"parts", parts},
              {"parity_ms", parity.max > 0 ? pause_json(parity) : Json(nullptr)},
              {"client_wait_ms",
               {{"p50", round_to(waits.p50, 2)}, {"p99", round_to(waits.p99, 2)}, {"max", round_to(waits.max, 1)}}},
              {"cpu_seconds", round_to(cpu_seconds(tally), 2)},
              {"acknowledged", tally.acknowledged},
              {"errors", tally.errors},
              {"lost", tally.lost},
              {"duplicated", tally.duplicated},
              {"cutovers", cutovers(tally)},
              {"undone", put_back(tally)},
              {"undone_pause_ms", put_back(tally) > 0 ? pause_json(pauses_of_put_back(tally)) : Json(nullptr)}};
  if (!tally.examples.empty()) result["examples"] = tally.examples;
  return result;
}

std::string text_of(const Scene& scene, const std::vector<Tally>& tallies) {
  std::string text =
      fmt::format("stall: {}, PostgreSQL {}, load average {:.1f}\n", scene.dataset, scene.majors, scene.load_average);
  text += row("", tallies, [](const Tally& t) { return t.contestant; });
  text += row("pause ms p50/p95/max", tallies, [](const Tally& t) { return pause_cell(pauses(t)); });
  text += row("parity ms, not in pause", tallies,
              [](const Tally& t) { return parities(t).max > 0 ? pause_cell(parities(t)) : std::string("none made"); });
  text += row("client wait ms p50/p99/max", tallies, [](const Tally& t) {
    const auto waits = spread_of(t.client_waits_ms);
    return fmt::format("{:.1f} / {:.1f} / {:.0f}", waits.p50, waits.p99, waits.max);
  });
  text += row("cutovers, put back", tallies,
              [](const Tally& t) { return fmt::format("{}, {}", cutovers(t), put_back(t)); });
  if (std::any_of(tallies.begin(), tallies.end(), [](const Tally& t) { return put_back(t) > 0; }))
    text += row("pause ms of put back", tallies, [](const Tally& t) { return pause_cell(pauses_of_put_back(t)); });
  text += row("errors, lost, doubled", tallies, [](const Tally& t) {
    return fmt::format("{}, {}, {} of {}", t.errors, t.lost, t.duplicated, t.acknowledged);
  });
  text += row("own CPU seconds", tallies, [](const Tally& t) { return fmt::format("{:.1f}", cpu_seconds(t)); });
  for (const auto& tally : tallies) text += parts_text(tally);
  text += ratio_text(tallies);
  for (const auto& tally : tallies)
    for (const auto& example : tally.examples) text += "  " + tally.contestant + ": " + example + "\n";
  return text;
}

}  // namespace verdigris::bench
