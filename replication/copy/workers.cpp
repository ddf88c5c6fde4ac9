#include "replication/copy/workers.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "replication/copy/relay.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

constexpr std::chrono::milliseconds kLook{500};
constexpr std::size_t kMostTogether = 100;          // small tables in one transaction: each takes a few locks
constexpr std::int64_t kMostBytesTogether = 1 << 20;
constexpr int kMostTries = 12;  // of a batch whose source session is lost, which giving way does, too
constexpr std::chrono::milliseconds kLongestRest{2'000};
constexpr std::chrono::milliseconds kFirstRest{200};
constexpr std::chrono::milliseconds kNoMore{30'000};

// Items that one transaction copies: one, or several small ones.
using Batch = std::vector<const CopyItem*>;

std::vector<Batch> batches_of(const std::vector<CopyItem>& items) {
  std::vector<Batch> batches;
  std::int64_t bytes = 0;
  for (const auto& item : items) {
    if (item.copied) continue;
    const bool fits = !batches.empty() && batches.back().front()->is_small() && item.is_small() &&
                      batches.back().size() < kMostTogether && bytes + item.bytes <= kMostBytesTogether;
    if (!fits) {
      batches.emplace_back();
      bytes = 0;
    }
    batches.back().push_back(&item);
    bytes += item.bytes;
  }
  return batches;
}

class CopyWorkers {
 public:
  CopyWorkers(std::vector<CopyItem> items, const CopySessions& sessions, Deadline deadline)
      : items_(std::move(items)), batches_(batches_of(items_)), sessions_(sessions), deadline_(deadline) {
    for (const auto& item : items_) {
      ++parts_left_[item.table];
      bytes_ += item.bytes;
    }
    tables_ = static_cast<int>(parts_left_.size());
    for (const auto& item : items_) {
      if (!item.copied) continue;
      rows_ += item.copied->rows;
      sent_of_done_ += item.copied->bytes;
      count_done(item);
    }
  }

  void run(int workers, const std::function<int(const CopyProgress&)>& look) {
    wanted_ = workers;
    std::vector<std::jthread> threads;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        while (running_ < wanted_ && next_ < batches_.size() && !error_ && !stop_.stop_requested()) {
          ++running_;
          threads.emplace_back([this] { work(); });
        }
        changed_.wait_for(lock, kLook, [this] { return running_ == 0; });
        if (running_ == 0 && (next_ >= batches_.size() || error_)) break;
      }
      ask(look);
    }
    threads.clear();
    if (error_) std::rethrow_exception(error_);
    ask(look);
    if (error_) std::rethrow_exception(error_);
  }

  CopyResult result() const { return {tables_done_, rows_, sent_of_done_}; }

 private:
  struct UnderWay {
    const Batch* batch = nullptr;
    std::atomic<std::int64_t> sent = 0;
  };
  struct Pair {
    std::optional<Connection> source, target;
  };

  void ask(const std::function<int(const CopyProgress&)>& look) noexcept {
    try {
      if (!look) return;
      const int wanted = look(progress());
      const std::lock_guard lock(mutex_);
      wanted_ = std::max(no_more_ && !no_more_->has_passed() ? std::min(wanted, running_) : wanted, 1);
    } catch (...) {
      fail(std::current_exception());
    }
  }

  void fail(std::exception_ptr why) noexcept {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(why);
    stop_.request_stop();
  }

  // Nothing if there is none left, or fewer workers are wanted.
  const Batch* take(UnderWay& mine) {
    const std::lock_guard lock(mutex_);
    if (next_ >= batches_.size() || stop_.stop_requested() || running_ > wanted_) return nullptr;
    mine.sent = 0;
    mine.batch = &batches_[next_++];
    return mine.batch;
  }

  void work() noexcept {
    UnderWay mine;
    {
      const std::lock_guard lock(mutex_);
      under_way_.push_back(&mine);
    }
    try {
      Pair pair;
      if (can_begin(pair))
        while (const Batch* batch = take(mine)) {
          copy_with_tries(pair, *batch, mine);
          end(mine);
        }
    } catch (...) {
      fail(std::current_exception());
    }
    const std::lock_guard lock(mutex_);
    std::erase(under_way_, &mine);
    --running_;
    changed_.notify_all();
  }

  // A server that has no room for one more session: those that are there go on without.
  bool can_begin(Pair& pair) {
    try {
      pair.target.emplace(sessions_.target());
      pair.source.emplace(source_session());
      return true;
    } catch (const Error&) {
      const std::lock_guard lock(mutex_);
      if (running_ == 1) return true;  // the only one: copy_with_tries() tells what is wrong
      wanted_ = running_ - 1;
      no_more_ = Deadline::after(kNoMore);
      return false;
    }
  }

  void end(UnderWay& mine) {
    const std::lock_guard lock(mutex_);
    for (const CopyItem* item : *mine.batch) count_done(*item);
    sent_of_done_ += mine.sent;
    mine.batch = nullptr;
  }

  void count_done(const CopyItem& item) {
    bytes_done_ += item.bytes;
    if (--parts_left_[item.table] == 0) ++tables_done_;
  }

  // The snapshot lives in other sessions. A target session that is lost may have taken commits with it: an end. What the
  // target has kept the next run finds noted there.
  void copy_with_tries(Pair& pair, const Batch& batch, UnderWay& mine) {
    auto rest = kFirstRest;
    for (int tries = 1;; rest = std::min(2 * rest, kLongestRest)) {
      try {
        if (!pair.target || !pair.target->is_open()) pair.target.emplace(sessions_.target());
        if (!pair.source || !pair.source->is_open()) pair.source.emplace(source_session());
        rows_ += copy(pair, batch, mine);
        return;
      } catch (const CopySourceLost& lost) {
        // Somebody who keeps a table is waited for until the deadline.
        if (lost.why() == CopySourceLost::Why::lost) ++tries;
        if (tries > kMostTries || stop_.stop_requested() || deadline_.remaining() <= rest) throw;
      }
      pair.source.reset();
      mine.sent = 0;
      std::this_thread::sleep_for(rest);
    }
  }

  Connection source_session() {
    try {
      return sessions_.source(stop_.get_token());
    } catch (const CannotConnect& error) {
      throw CopySourceLost(error);
    } catch (const ConnectionLost& error) {
      throw CopySourceLost(error);
    } catch (const DeadlinePassed& error) {
      throw CopySourceLost(error);
    }
  }

  std::int64_t copy(Pair& pair, const Batch& batch, UnderWay& mine) {
    std::int64_t rows = 0;
    std::vector<CopiedItem> copied;
    Transaction transaction(*pair.target, deadline_);
    for (const CopyItem* item : batch) {
      try {
        if (item->is_frozen()) transaction.execute(emptying(*item));
        const std::int64_t sent = mine.sent;
        const auto stored = relay_copy(*pair.source, copy_to(*item), *pair.target, copy_from(*item), stop_.get_token(),
                                       mine.sent, deadline_, sessions_.throttle);
        copied.push_back({item, {stored, mine.sent - sent}});
        rows += stored;
      } catch (const CopySourceLost&) {
        throw;
      } catch (const Error& error) {
        throw Error(error.id(), "table " + item->table.display() + ": " + error.what(), error.hint(), error.failure());
      }
    }
    const auto note = [&] {
      crash_point("before:copied");
      if (sessions_.note) sessions_.note(*pair.target, copied);
    };
    const bool is_noted_apart = is_mutant("copied_noted_apart");
    if (!is_noted_apart) note();
    transaction.commit();
    if (is_noted_apart) note();
    crash_point("after:copied");
    return rows;
  }

  // A table's size and what its rows are in COPY differ; how much, those that are done tell.
  CopyProgress progress() {
    const std::lock_guard lock(mutex_);
    CopyProgress now{.tables_done = tables_done_, .tables = tables_, .rows = rows_, .sent = sent_of_done_,
                     .bytes_done = bytes_done_, .bytes = bytes_, .workers = running_};
    const double ratio = bytes_done_ > 0 && sent_of_done_ > 0
                             ? static_cast<double>(bytes_done_) / static_cast<double>(sent_of_done_)
                             : 1.0;
    std::vector<const CopyItem*> shown;
    std::int64_t longest = 0;
    for (const UnderWay* one : under_way_) {
      if (one->batch == nullptr) continue;
      std::int64_t whole = 0;
      for (const CopyItem* item : *one->batch) whole += item->bytes;
      now.sent += one->sent;
      const auto done = std::min(whole, static_cast<std::int64_t>(static_cast<double>(one->sent) * ratio));
      now.bytes_done += done;
      longest = std::max(longest, whole - done);
      shown.push_back(one->batch->front());
    }
    std::ranges::stable_sort(shown, [](const auto* a, const auto* b) { return a->bytes > b->bytes; });
    for (const auto* item : shown) now.under_way.push_back(item->table.display());
    const auto repeated = std::ranges::unique(now.under_way);
    now.under_way.erase(repeated.begin(), repeated.end());
    rate_.note(now.bytes_done, RateMeter::Clock::now());
    now.bytes_per_second = rate_.per_second();
    now.left = time_left(now.bytes - now.bytes_done, longest, running_, now.bytes_per_second);
    return now;
  }

  const std::vector<CopyItem> items_;
  const std::vector<Batch> batches_;
  const CopySessions& sessions_;
  const Deadline deadline_;
  std::stop_source stop_;
  std::atomic<std::int64_t> rows_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Under the mutex.
  std::size_t next_ = 0;
  int running_ = 0, wanted_ = 0, tables_ = 0, tables_done_ = 0;
  std::int64_t bytes_ = 0, bytes_done_ = 0, sent_of_done_ = 0;
  std::map<QualifiedName, int> parts_left_;
  std::vector<const UnderWay*> under_way_;
  RateMeter rate_;
  std::optional<Deadline> no_more_;  // sessions until then
  std::exception_ptr error_;
};

}  // namespace

CopyResult copy_items(std::vector<CopyItem> items, int workers, const CopySessions& sessions,
                      const std::function<int(const CopyProgress&)>& look, Deadline deadline) {
  CopyWorkers all(std::move(items), sessions, deadline);
  all.run(workers, look);
  return all.result();
}

}  // namespace verdigris
