// The benches: verdigris beside others who do the same job. scripts/bench builds and calls this; figures go to stdout,
// how it goes to stderr.
#include <csignal>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "bench/stall.hpp"
#include "controller/environment.hpp"
#include "controller/exit_codes.hpp"

namespace {

using namespace verdigris;

struct Request {
  std::string name;
  std::string only;  // scenarios whose dataset is named so
  bool is_quick = false, is_json = false;
};

int usage() {
  std::cerr << "usage: scripts/bench stall [--quick] [--json] [--only DATASET]\n";
  return 2;
}

bool read(const std::vector<std::string>& arguments, Request& request) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& word = arguments[i];
    if (word == "--only" && i + 1 < arguments.size())
      request.only = arguments[++i];
    else if (word == "--quick")
      request.is_quick = true;
    else if (word == "--json")
      request.is_json = true;
    else if (!word.starts_with("-") && request.name.empty())
      request.name = word;
    else
      return false;
  }
  return request.name == "stall";
}

int run(const Request& request) {
  Interruption interruption;
  const auto say = [](const std::string& text) { std::cerr << "bench: " << text << std::endl; };
  for (const auto& scenario : bench::stall_scenarios(request.is_quick)) {
    if (!request.only.empty() && scenario.dataset != request.only) continue;
    const auto outcome = bench::run_stall(scenario, std::filesystem::absolute("bench/recipe"), interruption, say);
    if (outcome.tallies.empty()) return kInterrupted;
    if (!request.is_json) std::cout << bench::text_of(outcome.scene, outcome.tallies) << std::endl;
    if (request.is_json)
      for (const auto& tally : outcome.tallies) std::cout << bench::json_of(outcome.scene, tally).dump() << std::endl;
  }
  return kDone;
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
