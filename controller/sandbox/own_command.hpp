// The product's commands as a person would give them: this very program as a child, with --json and the playbook of a
// sandbox. Owned by one thread. A child that is not awaited is killed.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "controller/process.hpp"

namespace verdigris {

struct CommandResult {
  std::string command;
  int exit_code = 0;
  nlohmann::ordered_json json;  // null if there was none
  std::string errors_tail;      // for a message
  double seconds = 0;

  // A member of the document, or `otherwise` if it is absent or of another type.
  template <class T>
  T get(const char* name, T otherwise) const {
    if (!json.is_object() || !json.contains(name)) return otherwise;
    try {
      return json.at(name).template get<T>();
    } catch (const nlohmann::json::exception&) {
      return otherwise;
    }
  }
};

// How it ended, in one word: its document's "result", or "killed", or "exit code 1".
std::string ending_of(const CommandResult& result);
// The same for people, in one line and with the reason: "switch: undone, blue serves as before: ...".
std::string account_of(const CommandResult& result);

class OwnCommand {
 public:
  // Its stdout and stderr go to files <outputs>.out and .err, so that both can be looked at while it runs.
  OwnCommand(const std::vector<std::string>& arguments, const std::filesystem::path& outputs);

  bool is_running() { return child_.is_running(); }
  bool has_said(const std::string& text) const;  // on stderr
  void send(int signal) { child_.send(signal); }
  // Of one that has ended, or ends within the deadline; then it is killed (exit code 137).
  CommandResult result(Deadline deadline);

 private:
  std::string command_;
  std::filesystem::path out_, err_;
  std::chrono::steady_clock::time_point began_;
  ChildProcess child_;
};

}  // namespace verdigris
