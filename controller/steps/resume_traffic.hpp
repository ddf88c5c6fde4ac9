// Closes the window: clients go on, on the target.
#pragma once

#include "controller/step.hpp"
#include "controller/traffic.hpp"

namespace verdigris {

class ResumeTraffic final : public Step {
 public:
  explicit ResumeTraffic(Traffic& traffic) : traffic_(traffic) {}
  std::string_view name() const override { return "resume_traffic"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Traffic& traffic_;
};

}  // namespace verdigris
