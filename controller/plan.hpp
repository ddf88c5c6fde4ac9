// An ordered list of steps. Above the point of no return everything can be undone; below it we only go forward. The
// window is the part in which clients wait: it has the pause budget as its deadline. A plan without a point of no return
// is repeated until it is complete (prepare, finish) or undone from its end (abandon).
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <vector>

#include "controller/step.hpp"

namespace verdigris {

class Plan {
 public:
  template <std::derived_from<Step> S, class... Args>
  Plan& then(Args&&... args) {
    steps_.push_back(std::make_unique<S>(std::forward<Args>(args)...));
    return *this;
  }
  // Here a crossing waits for its time and for whoever holds it (gate.hpp): what comes before is prepared meanwhile.
  Plan& waits_here() {
    gate_ = steps_.size();
    return *this;
  }
  Plan& window_opens() {
    window_ = steps_.size();
    return *this;
  }
  Plan& window_closes() {
    window_end_ = steps_.size();
    return *this;
  }
  Plan& point_of_no_return() {
    no_return_ = steps_.size();
    return *this;
  }

  std::size_t size() const { return steps_.size(); }
  Step& operator[](std::size_t i) const { return *steps_[i]; }
  // Index of the first step that runs under the pause budget; size() if clients never wait.
  std::size_t window() const { return window_.value_or(steps_.size()); }
  // Index of the first step that is not taken before the gate is open; size() if there is no gate.
  std::size_t gate() const { return gate_.value_or(steps_.size()); }
  // Whether clients wait while step i runs.
  bool is_in_window(std::size_t i) const { return i >= window() && i < window_end_.value_or(steps_.size()); }
  // Index of the first step below the line; size() if there is none.
  std::size_t no_return() const { return no_return_.value_or(steps_.size()); }
  bool has_line() const { return no_return_.has_value(); }

 private:
  std::vector<std::unique_ptr<Step>> steps_;
  std::optional<std::size_t> gate_;
  std::optional<std::size_t> window_;
  std::optional<std::size_t> window_end_;
  std::optional<std::size_t> no_return_;
};

}  // namespace verdigris
