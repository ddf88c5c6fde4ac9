#include "controller/gates/long_transactions_probe.hpp"

#include <algorithm>
#include <thread>

#include "controller/config_values.hpp"
#include "replication/errors.hpp"
#include "replication/fence.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMostNamed = 5;
constexpr milliseconds kEndedWithin{5'000};

template <class Transactions>
std::string those_named(const Transactions& all) {
  std::string text;
  for (std::size_t i = 0; i < std::min(all.size(), kMostNamed); ++i) text += (i == 0 ? "" : "; ") + all[i].describe();
  if (all.size() > kMostNamed) text += "; and " + std::to_string(all.size() - kMostNamed) + " more";
  return text;
}

const char* word_for(TransactionPolicy action) {
  switch (action) {
    case TransactionPolicy::wait: return "waited for";
    case TransactionPolicy::stop: return "refused";
    case TransactionPolicy::terminate: return "ended";
  }
  return "";
}

}  // namespace

std::string LongTransactionsProbe::describe() const {
  return "no transaction over " + duration_text(gate_.older_than) + " (" + word_for(gate_.action) +
         (gate_.action == TransactionPolicy::wait ? " " + duration_text(gate_.wait) : "") + ")";
}

std::optional<GateAnswer> LongTransactionsProbe::ask(Deadline deadline) {
  auto& on = source_->control();
  if (const auto prepared = prepared_transactions(on, deadline); !prepared.empty())
    return GateAnswer{
        source_->color() + ": prepared transactions are open, which nobody can end: " + those_named(prepared),
        "Commit or roll them back: COMMIT PREPARED or ROLLBACK PREPARED in that database."};
  if (gate_.action == TransactionPolicy::terminate) return GateAnswer{};
  const auto open = long_transactions(on, source_->deployment(), gate_.older_than, deadline);
  if (open.empty()) return GateAnswer{};
  return GateAnswer{source_->color() + ": " + std::to_string(open.size()) + " transaction(s) open for longer than " +
                        duration_text(gate_.older_than) + ": " + those_named(open),
                    "Let them end, or end those sessions; action: terminate does it right before clients are held."};
}

// A superuser's may be maintenance: whatever it holds is named by the steps that find it in their way.
std::vector<LongTransaction> SourceTransactionsEnder::to_be_ended(Deadline deadline) {
  auto open = long_transactions(source_->control(), source_->deployment(), older_than_, deadline);
  std::erase_if(open, [](const LongTransaction& one) { return one.is_superusers; });
  return open;
}

bool SourceTransactionsEnder::is_any_left(const std::vector<LongTransaction>& ended, Deadline deadline) {
  const auto open = to_be_ended(deadline);
  return std::ranges::any_of(ended, [&](const LongTransaction& one) {
    return std::ranges::any_of(
        open, [&](const LongTransaction& other) { return other.pid == one.pid && other.began == one.began; });
  });
}

std::vector<LongTransaction> SourceTransactionsEnder::end_them(Deadline deadline) {
  std::vector<LongTransaction> ended;
  try {
    ended = end_long_transactions(source_->control(), source_->deployment(), older_than_, deadline);
  } catch (const ServerError& error) {
    if (error.sqlstate() != "42501") throw;
    throw Refused("gate.long_transactions", std::string("gate long_transactions: ") + error.what(),
                  "Let the controller's role end sessions: GRANT pg_signal_backend TO it.");
  }
  const auto until = Deadline::after(kEndedWithin).or_earlier(deadline);
  while (!ended.empty() && is_any_left(ended, deadline)) {
    if (until.has_passed())
      throw Refused(
          "gate.long_transactions",
          "gate long_transactions: " + source_->color() + ": told to end, and still there: " + those_named(ended),
          "It may be rolling back; try again when it is gone.");
    std::this_thread::sleep_for(milliseconds(10));
  }
  return ended;
}

}  // namespace verdigris
