// A value that must never be printed, logged, stored or compared by accident. It has no formatter and no stream
// operator on purpose; reveal() is the one way out and easy to find by searching for it.
#pragma once

#include <string>
#include <utility>

namespace verdigris {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const { return value_; }
  bool is_empty() const { return value_.empty(); }

 private:
  std::string value_;
};

}  // namespace verdigris
