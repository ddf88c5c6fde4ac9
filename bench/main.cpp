// The benches: verdigris beside others who do the same job. scripts/bench builds and calls this; figures go to stdout,
// how it goes to stderr.
#include <charconv>
#include <csignal>
#include <exception>
#include <iostream>
#include <set>
#include <string>
#include <vector>

#include "bench/catchup.hpp"
#include "bench/copy.hpp"
#include "bench/parity.hpp"
#include "bench/stall.hpp"
#include "bench/verdict.hpp"
#include "controller/environment.hpp"
#include "controller/exit_codes.hpp"
#include "replication/errors.hpp"

namespace {

using namespace verdigris;

struct Request {
  std::string name;
  std::string only;    // scenarios whose dataset is named so
  std::string green;   // copy: the green major
  std::string rounds;  // copy: instead of the scenario's own number
  std::set<std::string> contestants;  // copy: nobody else
  bool is_quick = false, is_json = false;
};

int usage() {
  std::cerr << "usage: scripts/bench stall|copy|catchup|parity [--quick] [--json] [--only DATASET]\n"
               "       scripts/bench copy [--green MAJOR] [--rounds N] [--contestant NAME]...\n";
  return 2;
}

// A name that no scenario has would measure nothing, and say nothing.
template <class Scenarios>
Scenarios chosen(Scenarios all, const Request& request) {
  if (request.only.empty()) return all;
  std::string names;
  for (const auto& scenario : all) names += "\n  " + scenario.dataset;
  std::erase_if(all, [&](const auto& scenario) { return scenario.dataset != request.only; });
  if (all.empty()) throw Error("bench.only", "no dataset is named \"" + request.only + "\"; there are:" + names);
  return all;
}

bool read(const std::vector<std::string>& arguments, Request& request) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& word = arguments[i];
    if (word == "--only" && i + 1 < arguments.size())
      request.only = arguments[++i];
    else if (word == "--green" && i + 1 < arguments.size())
      request.green = arguments[++i];
    else if (word == "--rounds" && i + 1 < arguments.size())
      request.rounds = arguments[++i];
    else if (word == "--contestant" && i + 1 < arguments.size())
      request.contestants.insert(arguments[++i]);
    else if (word == "--quick")
      request.is_quick = true;
    else if (word == "--json")
      request.is_json = true;
    else if (!word.starts_with("-") && request.name.empty())
      request.name = word;
    else
      return false;
  }
  return request.name == "stall" || request.name == "copy" || request.name == "catchup" || request.name == "parity";
}

void say(const std::string& text) { std::cerr << "bench: " << text << std::endl; }

// Fails if verdigris broke a promise; what the recipe breaks is in its figures.
int stall(const Request& request, Interruption& interruption) {
  bool is_right = true;
  for (const auto& scenario : chosen(bench::stall_scenarios(request.is_quick), request)) {
    const auto outcome = bench::run_stall(scenario, std::filesystem::absolute("bench/recipe"), interruption, say);
    if (outcome.tallies.empty()) return kInterrupted;
    if (!request.is_json) std::cout << bench::text_of(outcome.scene, outcome.tallies) << std::endl;
    if (request.is_json)
      for (const auto& tally : outcome.tallies) std::cout << bench::json_of(outcome.scene, tally).dump() << std::endl;
    for (const auto& sentence : bench::broken_promises(scenario, outcome.tallies.front())) {
      is_right = false;
      say(sentence);
    }
  }
  return is_right ? kDone : kFailed;
}

int whole_number(const std::string& text, const std::string& option) {
  int value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size() || value < 1)
    throw Error("bench.number", option + " \"" + text + "\" is not a number above 0");
  return value;
}

std::vector<bench::CopyScenario> copies(const Request& request) {
  auto all = chosen(bench::copy_scenarios(request.is_quick), request);
  if (!request.green.empty()) {
    const int major = whole_number(request.green, "--green");
    std::erase_if(all, [&](const auto& scenario) { return scenario.green_major != major; });
    if (all.empty()) throw Error("bench.green", "no scenario has a green of major " + request.green);
  }
  for (auto& scenario : all) scenario.contestants = request.contestants;
  if (!request.rounds.empty())
    for (auto& scenario : all) scenario.rounds = whole_number(request.rounds, "--rounds");
  return all;
}

int copy(const Request& request, Interruption& interruption) {
  bool is_right = true;
  for (const auto& scenario : copies(request)) {
    const auto outcome = bench::run_copy(scenario, interruption, say);
    if (outcome.tallies.empty()) return kInterrupted;
    for (const auto& tally : outcome.tallies) is_right = is_right && tally.errors == 0;
    if (!request.is_json) std::cout << bench::text_of(outcome) << std::endl;
    if (request.is_json)
      for (const auto& tally : outcome.tallies) std::cout << bench::json_of(outcome, tally).dump() << std::endl;
  }
  return is_right ? kDone : kFailed;
}

int catchup(const Request& request, Interruption& interruption) {
  const auto outcome = bench::run_catchup(request.is_quick, interruption, say);
  if (outcome.tallies.empty()) return kInterrupted;
  bool is_right = true;
  for (const auto& tally : outcome.tallies) is_right = is_right && tally.errors == 0;
  if (!request.is_json) std::cout << bench::text_of(outcome) << std::endl;
  if (request.is_json)
    for (const auto& tally : outcome.tallies) std::cout << bench::json_of(outcome, tally).dump() << std::endl;
  return is_right ? kDone : kFailed;
}

// Nothing differs: ours must say so.
int parity(const Request& request, Interruption& interruption) {
  bool is_right = true;
  for (const auto& scenario : chosen(bench::parity_scenarios(request.is_quick), request)) {
    const auto outcome = bench::run_parity(scenario, interruption, say);
    if (outcome.tallies.empty()) return kInterrupted;
    is_right = is_right && outcome.tallies.front().errors == 0;
    if (!request.is_json) std::cout << bench::text_of(outcome) << std::endl;
    if (request.is_json)
      for (const auto& tally : outcome.tallies) std::cout << bench::json_of(outcome, tally).dump() << std::endl;
  }
  return is_right ? kDone : kFailed;
}

int run(const Request& request) {
  Interruption interruption;
  if (request.name == "parity") return parity(request, interruption);
  if (request.name == "catchup") return catchup(request, interruption);
  return request.name == "stall" ? stall(request, interruption) : copy(request, interruption);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  Request request;
  if (!read({argv + 1, argv + argc}, request)) return usage();
  try {
    remove_connection_defaults();
    return run(request);
  } catch (const std::exception& error) {
    std::cerr << "bench: " << error.what() << std::endl;
    return kFailed;
  }
}
