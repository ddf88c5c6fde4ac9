#include "controller/sandbox/load.hpp"

#include <algorithm>
#include <deque>
#include <exception>
#include <fstream>
#include <functional>
#include <thread>

#include "controller/sandbox/load_writers.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kWarmUp = 500ms;  // for the first logins

void add(PooledTally& sum, const PooledTally& one) {
  sum.acknowledged += one.acknowledged;
  sum.unknown += one.unknown;
  sum.errors += one.errors;
  sum.waits_ms.insert(sum.waits_ms.end(), one.waits_ms.begin(), one.waits_ms.end());
  for (const auto& text : one.error_texts)
    if (sum.error_texts.size() < 10) sum.error_texts.push_back(text);
  sum.longest_lateness_ms = std::max(sum.longest_lateness_ms, one.longest_lateness_ms);
  if (one.longest_wait_ms <= sum.longest_wait_ms) return;
  sum.longest_wait_ms = one.longest_wait_ms;
  sum.longest_wait_at = one.longest_wait_at;
}

void write_waits(const std::filesystem::path& file, const std::vector<float>& waits_ms) {
  std::ofstream out(file);
  for (const float wait : waits_ms) out << wait << "\n";
  out.close();
  if (!out) throw Error("file", file.string() + ": cannot write");
}

// Threads that all end when the object does; what one of them throws comes out of join().
class Threads {
 public:
  explicit Threads(std::atomic<bool>& is_over) : is_over_(is_over) {}
  ~Threads() { end(); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  void run(std::function<void()> body) {
    threads_.emplace_back([this, body = std::move(body)] {
      try {
        body();
      } catch (...) {
        if (!has_failed_.exchange(true)) failure_ = std::current_exception();
        is_over_ = true;
      }
    });
  }

  void join() {
    end();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void end() {
    is_over_ = true;
    for (auto& thread : threads_)
      if (thread.joinable()) thread.join();
  }

  std::atomic<bool>& is_over_;
  std::atomic<bool> has_failed_{false};
  std::exception_ptr failure_;
  std::deque<std::thread> threads_;
};

}  // namespace

LoadSummary run_load(const SandboxState& sandbox, const LoadOptions& options, Interruption& interruption) {
  LedgerFile ledger(options.ledger);
  std::atomic<bool> is_over{false};
  const LoadContext context{sandbox, options, ledger, Clock::now() + kWarmUp, first_number_now(), is_over};
  std::deque<PooledClient> clients;
  for (int i = 1; i <= options.clients; ++i) clients.emplace_back(context, options.first_writer + i - 1);
  DirectWriter to_blue(context, sandbox.blue, kDirectToBlue, false);
  DirectWriter to_green(context, sandbox.green, kDirectToGreen, true);
  {
    Threads threads(is_over);
    for (auto& client : clients) threads.run([&client] { client.run(); });
    if (options.has_direct_writers) {
      threads.run([&] { to_blue.run(); });
      threads.run([&] { to_green.run(); });
    }
    const auto end = context.start + std::chrono::seconds(options.seconds);
    while (!is_over && Clock::now() < end && !interruption.has_come(50ms)) {}
    threads.join();
  }
  LoadSummary summary;
  summary.seconds = std::chrono::duration<double>(Clock::now() - context.start).count();
  for (const auto& client : clients) add(summary.pooled, client.tally);
  summary.blue = to_blue.tally;
  summary.green = to_green.tally;
  if (!options.waits.empty()) write_waits(options.waits, summary.pooled.waits_ms);
  return summary;
}

double quantile_of(std::vector<float>& values, double quantile) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return static_cast<double>(values[static_cast<std::size_t>(quantile * static_cast<double>(values.size() - 1))]);
}

}  // namespace verdigris
