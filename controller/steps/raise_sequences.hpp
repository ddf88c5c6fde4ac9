// Of a forced rollback: blue's sequences go past the last positions known of green's, by a margin for what green handed
// out since nobody looked. A green that answers is read itself; else the positions that came with its markers count.
#pragma once

#include "controller/step.hpp"
#include "replication/server.hpp"

namespace verdigris {

inline constexpr std::int64_t kSequenceMargin = 100'000;

class RaiseSequences final : public Step {
 public:
  RaiseSequences(Source green, Target blue) : green_(green), blue_(blue) {}
  std::string_view name() const override { return "raise_sequences"; }
  std::string describe() const override;
  Readiness check(Deadline deadline) override;
  std::string apply(Deadline deadline) override;

 private:
  Source green_;
  Target blue_;
};

}  // namespace verdigris
