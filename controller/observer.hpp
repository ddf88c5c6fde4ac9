// Shows a running plan to people, a line a step. What is remarked again and again while something is retried, once.
#pragma once

#include <string>
#include <utility>

#include "controller/output.hpp"
#include "controller/runner.hpp"

namespace verdigris {

class ConsoleObserver final : public RunObserver {
 public:
  explicit ConsoleObserver(Output& output) : output_(output) {}
  void began(const std::string& step) override { output_.detail(step + " begins"); }
  void ended(const StepReport& report) override {
    output_.step_line(report.step, report.account, "ok",
                      std::chrono::milliseconds(static_cast<std::int64_t>(report.ms + 0.5)));
  }
  void skipped(const std::string& step) override { output_.detail(step + " is done already"); }
  void remarked(const std::string& text) override {
    if (std::exchange(last_remark_, text) != text) output_.note(text);
  }

 private:
  Output& output_;
  std::string last_remark_;
};

}  // namespace verdigris
