// Below the line: every pooler's file names the target and its running process has read it.
#pragma once

#include "controller/step.hpp"
#include "controller/traffic.hpp"

namespace verdigris {

class PointTraffic final : public Step {
 public:
  PointTraffic(Traffic& traffic, Endpoint to) : traffic_(traffic), to_(std::move(to)) {}
  std::string_view name() const override { return "point_traffic"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Traffic& traffic_;
  Endpoint to_;
};

}  // namespace verdigris
