#include "replication/test_switches.hpp"

#ifdef VERDIGRIS_TEST_BUILD
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

namespace verdigris {

bool is_mutant(std::string_view name) {
  const char* chosen = std::getenv("VERDIGRIS_MUTANT");
  if (chosen == nullptr) return false;
  const std::string list = "," + std::string(chosen) + ",";
  return list.find("," + std::string(name) + ",") != std::string::npos;
}

void crash_point(std::string_view name) {
  if (const char* log = std::getenv("VERDIGRIS_CRASH_LOG")) std::ofstream(log, std::ios::app) << name << '\n';
  const auto is_chosen = [&](const char* variable) {
    const char* chosen = std::getenv(variable);
    return chosen != nullptr && name == chosen;
  };
  if (is_chosen("VERDIGRIS_CRASH")) std::raise(SIGKILL);
  static bool was_stopped = false;  // once: a step that is carried out again passes its points again
  if (is_chosen("VERDIGRIS_STOP") && !std::exchange(was_stopped, true)) std::raise(SIGSTOP);
}

}  // namespace verdigris
#endif
