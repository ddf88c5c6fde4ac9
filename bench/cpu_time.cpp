#include "bench/cpu_time.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace verdigris::bench {
namespace {

namespace fs = std::filesystem;

struct ProcessTimes {
  pid_t parent = 0;
  double own = 0, waited_for = 0;
};

// proc(5): the name may hold anything, so fields are counted from behind its closing parenthesis.
ProcessTimes times_of(const fs::path& directory) {
  std::ifstream in(directory / "stat");
  std::string line;
  std::getline(in, line);
  const auto end_of_name = line.rfind(')');
  if (end_of_name == std::string::npos) return {};
  std::istringstream fields(line.substr(end_of_name + 1));
  std::string word;
  ProcessTimes times;
  const double tick = 1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  for (int field = 3; fields >> word && field <= 17; ++field) {
    if (field == 4) times.parent = static_cast<pid_t>(std::stol(word));
    if (field == 14 || field == 15) times.own += tick * std::stod(word);
    if (field == 16 || field == 17) times.waited_for += tick * std::stod(word);
  }
  return times;
}

}  // namespace

double cpu_seconds_of_tree(pid_t process) {
  const auto root = times_of("/proc/" + std::to_string(process));
  double sum = root.own + root.waited_for;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto child = times_of(entry.path());
    if (child.parent == process) sum += child.own + child.waited_for;
  }
  return sum;
}

double cpu_seconds_of_children() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::int64_t peak_memory_kib(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/status");
  for (std::string word; in >> word;) {
    std::int64_t kib = 0;
    if (word == "VmHWM:" && in >> kib) return kib;
  }
  return 0;
}

}  // namespace verdigris::bench
