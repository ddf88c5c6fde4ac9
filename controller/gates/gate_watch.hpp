// All gates of a crossing while it waits: each is asked again about every second, more seldom if an answer is dear;
// told is only when one turns red, or green again. When the crossing could begin, a red one is waited for as long as
// its policy allows, in all; then it is refused. One thread; asks through the control sessions and keeps its own ones
// open. Every question has its own time, none of the caller's: a program may run for minutes.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/gates/probe.hpp"
#include "replication/long_transactions.hpp"

namespace verdigris {

// What a red gate means when the crossing could begin.
struct GatePolicy {
  std::chrono::milliseconds wait{0};
  bool is_told_only = false;  // a step refuses it, in its own words
};

// Transactions that are ended right before clients are held.
class LongTransactionsEnder {
 public:
  virtual ~LongTransactionsEnder() = default;
  virtual std::vector<LongTransaction> to_be_ended(Deadline deadline) = 0;
  // Those that were; throws Refused if they are not gone in time, or if our role may not end them.
  virtual std::vector<LongTransaction> end_them(Deadline deadline) = 0;
};

class GateWatch {
 public:
  using Say = std::function<void(const std::string&)>;
  explicit GateWatch(Say say) : say_(std::move(say)) {}
  GateWatch& add(std::unique_ptr<Probe> probe, GatePolicy policy);
  void set_ender(std::unique_ptr<LongTransactionsEnder> ender) { ender_ = std::move(ender); }
  LongTransactionsEnder* ender() { return ender_.get(); }

  bool has_gates() const;  // that are more than told
  std::vector<std::string> descriptions() const;

  // While something is waited for: asks what is due and tells what has changed. Waits for no program.
  void look();
  // It is not for a gate that the crossing waits now.
  void wait_for_others();
  // The crossing could begin: why it must not, in words that stay the same while nothing changes. Throws Error
  // "gate.<id>": refused, or timed out if it was waited for in vain; Error "interrupted" if a signal came while a
  // program ran.
  std::optional<std::string> obstacle();
  // The same, right before clients are held: what answers at once is asked anew. What is slow is not, or all that was
  // made ready would be old when it has answered: its answer counts for a minute, then obstacle() has to ask it again.
  std::optional<std::string> last_obstacle();
  // One look for plan, dry run and status, without programs: what would be refused at once.
  std::optional<GateAnswer> refusal();
  // "4 of 4 gates green"
  std::string account() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Watched {
    std::unique_ptr<Probe> probe;
    GatePolicy policy;
    std::optional<GateAnswer> answer = {};
    std::optional<Clock::time_point> begun = {};  // if an answer is awaited
    Clock::time_point asked{};                    // when the last answer was there
    std::chrono::milliseconds took{0};
    bool is_told_red = false;
    std::chrono::milliseconds waited{0};  // for it, before
    std::optional<Clock::time_point> waits_since = {};
  };
  bool ask(Watched& one);
  bool is_due(const Watched& one) const;
  bool is_quick(const Watched& one) const;
  bool counts_still(const Watched& one) const;
  void settle(const std::vector<Watched*>& those);
  void tell(Watched& one);
  std::optional<std::string> judge();
  void weigh(Watched& one) const;

  Say say_;
  std::vector<Watched> all_;
  std::unique_ptr<LongTransactionsEnder> ender_;
};

}  // namespace verdigris
