// Keeps a copy from being a burden to the database that serves: a rate that may be changed while it runs, and limits of the
// source's load, beyond which it reads nothing until the load is below them again.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "controller/playbook.hpp"
#include "replication/copy/throttle.hpp"
#include "replication/server.hpp"
#include "replication/source_load.hpp"

namespace verdigris {

class CopyBrake {
 public:
  CopyBrake(Server& source, const CopyPace& pace);

  // Looks at most once a second.
  void look(Deadline deadline);
  void set_rate(std::int64_t bytes_per_second) { throttle_->set_rate(bytes_per_second); }
  std::int64_t rate() const { return throttle_->rate(); }
  // Why nothing is read at the moment, for people; empty if something is.
  const std::string& held_by() const { return held_by_; }
  CopyThrottle* throttle() const { return throttle_.get(); }

 private:
  std::string slow_commit(Deadline deadline);

  Server& source_;
  LoadLimits limits_;
  std::unique_ptr<CopyThrottle> throttle_ = std::make_unique<CopyThrottle>();
  CommitProbe probe_;
  std::string held_by_;
  std::optional<Deadline> next_look_;
};

}  // namespace verdigris
