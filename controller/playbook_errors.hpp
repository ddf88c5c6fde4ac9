// All that is wrong with a playbook at once, each with its place, in the order of the file. Thrown by load_playbook().
#pragma once

#include <string>
#include <vector>

#include "replication/errors.hpp"

namespace verdigris {

struct PlaybookError {
  std::string file;
  int line = 0, column = 0;  // from 1, column in characters; 0: the file as a whole
  std::string id, text, hint;
  std::string source_line;  // empty where it must not be shown (it may hold a secret)
  int width = 1;            // characters to underline
};

class PlaybookErrors : public Error {
 public:
  explicit PlaybookErrors(std::vector<PlaybookError> errors)
      : Error("playbook", count(errors.size()), "", Failure::usage), errors_(std::move(errors)) {}
  const std::vector<PlaybookError>& errors() const { return errors_; }

 private:
  static std::string count(std::size_t n) { return std::to_string(n) + (n == 1 ? " error" : " errors"); }
  std::vector<PlaybookError> errors_;
};

}  // namespace verdigris
