// What a bench measured, as plain values, and how it is printed: one JSON object a line, or contestants side by side.
// Computes only; owns nothing; any thread.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace verdigris::bench {

using Json = nlohmann::ordered_json;

// Nearest rank: each figure is one that was measured. All 0 for no values.
struct Spread {
  double p50 = 0, p95 = 0, p99 = 0, min = 0, max = 0;
};
Spread spread_of(std::vector<double> values);

struct Part {
  std::string step;
  double ms = 0;
};

// One move of clients from one server to the other.
struct Crossing {
  bool is_done = false;          // else everything was put back
  double pause_ms = 0;           // first PAUSE sent to last RESUME acknowledged, without the parity act if it is done
  double parity_ms = 0;          // the parity act, inside the pause
  std::vector<Part> parts = {};  // of pause_ms, in order; what no step accounts for is "between steps"
  double cpu_seconds = 0;        // of the contestant's own processes, from start to end
  std::string account = {};      // why it was not done
};

// The program's report of `switch` or `rollback`: the steps from pause to resume, the parity act apart. Not done if
// there is no report, or it says so. Throws Error("bench.report") if the steps are not those that this bench knows.
Crossing crossing_of_program(const Json& report);
// The recipe's line: {"pause_ms": 1.2, "parts": [{"step": "pause", "ms": 1.2}]}.
Crossing crossing_of_recipe(const Json& line);

// Of one contestant in one scenario.
struct Tally {
  std::string contestant;
  std::vector<Crossing> crossings = {};      // in order; also those that were not done
  std::vector<double> client_waits_ms = {};  // of all pooled writes while it was its turn
  std::int64_t acknowledged = 0, errors = 0, lost = 0, duplicated = 0;
  std::vector<std::string> examples = {};  // of errors and of findings in the ledger
};

struct Scene {
  std::string dataset;  // "100 tables, 2 poolers"
  int tables = 0;
  std::string majors;       // "15-17"
  double load_average = 0;  // of the machine at the end: far above what the bench itself makes, others were at work
};

Json json_of(const Scene& scene, const Tally& tally);
// The table for people.
std::string text_of(const Scene& scene, const std::vector<Tally>& tallies);

}  // namespace verdigris::bench
