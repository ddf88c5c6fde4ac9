#include "healthcheck/parity/judge.hpp"

#include <algorithm>
#include <chrono>
#include <charconv>
#include <string_view>
#include <thread>

#include "replication/marker.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr int kRounds = 5;
constexpr milliseconds kBetweenRounds{100};
constexpr int kStrikes = 2;
constexpr int kTrials = 6;                     // to prove what is written all the time
constexpr std::size_t kKeysOfAProof = 100;     // their writers wait for it
constexpr milliseconds kLongestProof{1'000};
constexpr int kProofsOfExtra = 2;              // it may have come and gone on the source meanwhile; twice it has not
const char* const kNoLockInTime = "55P03";

const std::string* find_image(const RowImages& images, const RowKey& key) {
  const auto found = images.find(key);
  return found == images.end() ? nullptr : &found->second;
}

bool are_alike(const std::string* one, const std::string* other) {
  return (one == nullptr) == (other == nullptr) && (one == nullptr || *one == *other);
}

std::vector<RowKey> keys_of(const std::map<RowKey, int>& strikes) {
  std::vector<RowKey> keys;
  keys.reserve(strikes.size());
  for (const auto& [key, count] : strikes) keys.push_back(key);
  return keys;
}

// "{1,-2,3}"
std::vector<std::int64_t> hashes_in(std::string_view array) {
  std::vector<std::int64_t> hashes;
  const char* at = array.data() + 1;
  const char* const end = array.data() + array.size() - 1;
  while (at < end) {
    std::int64_t value = 0;
    at = std::from_chars(at, end, value).ptr + 1;
    hashes.push_back(value);
  }
  return hashes;
}

// A transaction that ends however it is left.
class LockingTransaction {
 public:
  LockingTransaction(Connection& on, Deadline deadline) : on_(on) {
    // A controller that dies meanwhile must not leave rows locked.
    on_.execute(Sql("BEGIN; SET LOCAL lock_timeout = '50ms'; SET LOCAL idle_in_transaction_session_timeout = '5s'"), deadline);
  }
  LockingTransaction(const LockingTransaction&) = delete;
  LockingTransaction& operator=(const LockingTransaction&) = delete;
  ~LockingTransaction() { end(); }
  void end() {
    if (is_over_ || !on_.is_open()) return;
    is_over_ = true;
    try {
      on_.execute(Sql("ROLLBACK"), Deadline::after(milliseconds{5'000}));
    } catch (const std::exception&) {
      on_.close();
    }
  }

 private:
  Connection& on_;
  bool is_over_ = false;
};

}  // namespace

Judge::Judge(Server& source, Server& target, const Streams& streams, const Agreement& agreement,
             const HashAgreement& hashes, Values values, Deadline deadline)
    : source_color_(source.color()),
      streams_(streams),
      agreement_(agreement),
      hashes_(hashes),
      values_(values),
      source_(open_key_session(source, true, deadline)),
      locker_(open_key_session(source, false, deadline)),
      marker_(source.open("parity marker", deadline)),
      target_(open_key_session(target, true, deadline)) {}

std::map<std::size_t, JudgedTable> Judge::judge(const std::map<std::size_t, std::set<RowKey>>& suspects, Deadline deadline) {
  OpenTables open;
  for (const auto& [index, keys] : suspects)
    for (const auto& key : keys) open[index].strikes.emplace(key, 0);
  for (int round = 0; round < kRounds; ++round) {
    if (round > 0) std::this_thread::sleep_for(kBetweenRounds);
    if (!recheck(open, deadline)) break;
  }
  std::map<std::size_t, JudgedTable> verdicts;
  for (auto& [index, one] : open) {
    prove(index, one, deadline);
    std::ranges::sort(one.verdict.differences, {}, &RowDifference::key);
    verdicts.emplace(index, std::move(one.verdict));
  }
  return verdicts;
}

std::map<std::size_t, std::set<RowKey>> Judge::look_once(const std::map<std::size_t, std::set<RowKey>>& keys, Deadline deadline) {
  OpenTables open;
  for (const auto& [index, all] : keys)
    for (const auto& key : all) open[index].strikes.emplace(key, 0);
  recheck(open, deadline);
  std::map<std::size_t, std::set<RowKey>> left;
  for (const auto& [index, one] : open)
    for (const auto& [key, strikes] : one.strikes) left[index].insert(key);
  return left;
}

std::map<std::size_t, std::set<RowKey>> Judge::differing_when_still(const std::map<std::size_t, std::set<RowKey>>& keys,
                                                                    Deadline deadline) {
  std::map<std::size_t, std::set<RowKey>> different;
  for (const auto& [index, all] : keys) {
    const std::vector<RowKey> list(all.begin(), all.end());
    const auto here = question_by_key(table(index), Side::source, hashes_, list);
    const auto there = question_by_key(table(index), Side::target, hashes_, list);
    source_.send_prepared(here.statement, here.params, deadline);
    target_.send_prepared(there.statement, there.params, deadline);
    const auto ours = images_of(source_.receive(deadline), table(index));
    const auto theirs = images_of(target_.receive(deadline), table(index));
    for (const auto& key : list)
      if (!are_alike(find_image(ours, key), find_image(theirs, key))) different[index].insert(key);
  }
  return different;
}

// Everything that the source had committed when this began is there on the target when it returns true.
bool Judge::pass_marker(Deadline patience, Deadline deadline) {
  const auto id = write_marker(marker_, source_color_, "recheck", deadline);
  while (!marker_arrived(target_, streams_, id, deadline)) {
    if (deadline.has_passed())
      throw DeadlinePassed(target_.server() + ": did not catch up while rows were compared again",
                           "Wait until it has caught up, or give a longer --timeout.");
    if (is_over_ != nullptr && *is_over_) throw DeadlinePassed("comparing rows again was ended");
    if (patience.has_passed()) return false;
    std::this_thread::sleep_for(milliseconds{1});
  }
  return true;
}

// False if nothing is open any more. The source is read before and behind the target: equal to what was there before only
// is what a lost change looks like, so it settles nothing.
bool Judge::recheck(OpenTables& open, Deadline deadline) {
  std::map<std::size_t, RowImages> before;
  for (const auto& [index, one] : open)
    if (!one.strikes.empty())
      before.emplace(index, read_rows(source_, table(index), Side::source, hashes_, keys_of(one.strikes), deadline));
  if (before.empty()) return false;
  pass_marker(deadline, deadline);
  bool is_any_open = false;
  for (const auto& [index, first] : before) {
    OpenTable& one = open.at(index);
    const auto keys = keys_of(one.strikes);
    const auto theirs = read_rows(target_, table(index), Side::target, hashes_, keys, deadline);
    const auto second = read_rows(source_, table(index), Side::source, hashes_, keys, deadline);
    for (const auto& key : keys) {
      const auto *h1 = find_image(first, key), *g = find_image(theirs, key), *h2 = find_image(second, key);
      const bool is_settled = are_alike(g, h2) || (is_mutant("accept_first_hash") && are_alike(g, h1));
      if (is_settled) {
        ++one.verdict.settled;
        one.strikes.erase(key);
      } else if (are_alike(h1, h2) && ++one.strikes[key] >= kStrikes) {
        one.struck.push_back(key);
        one.strikes.erase(key);
      }
    }
    is_any_open = is_any_open || !one.strikes.empty();
  }
  return is_any_open;
}

void Judge::prove(std::size_t index, OpenTable& open, Deadline deadline) {
  auto keys = std::move(open.struck);
  for (const auto& [key, strikes] : open.strikes) keys.push_back(key);
  for (int trial = 0; trial < kTrials && !keys.empty(); ++trial) {
    if (trial > 0) std::this_thread::sleep_for(milliseconds{20});
    std::vector<RowKey> again;
    for (std::size_t from = 0; from < keys.size(); from += kKeysOfAProof) {
      const auto at = [&](std::size_t place) { return keys.begin() + static_cast<std::ptrdiff_t>(std::min(place, keys.size())); };
      prove_batch(index, open, {at(from), at(from + kKeysOfAProof)}, again, deadline);
    }
    keys = std::move(again);
  }
  open.verdict.undecided = std::move(keys);
}

void Judge::prove_batch(std::size_t index, OpenTable& open, std::vector<RowKey> keys, std::vector<RowKey>& again,
                        Deadline deadline) {
  LockingTransaction lock(locker_, deadline);
  RowImages ours;
  try {
    ours = read_rows(locker_, table(index), Side::source, hashes_, keys, deadline, ImageOf::columns, RowLock::share);
  } catch (const ServerError& error) {
    if (error.sqlstate() != kNoLockInTime) throw;
    lock.end();
    if (keys.size() == 1) return again.push_back(keys.front());
    // One row that is written all the time must not hide the others.
    const auto middle = keys.begin() + static_cast<std::ptrdiff_t>(keys.size() / 2);
    prove_batch(index, open, {keys.begin(), middle}, again, deadline);
    return prove_batch(index, open, {middle, keys.end()}, again, deadline);
  }
  if (!pass_marker(Deadline::after(kLongestProof).or_earlier(deadline), deadline)) {
    again.insert(again.end(), keys.begin(), keys.end());
    return;
  }
  const auto theirs = read_rows(target_, table(index), Side::target, hashes_, keys, deadline, ImageOf::columns);
  // What is not there cannot be locked.
  std::vector<RowKey> absent;
  for (const auto& key : keys)
    if (!ours.contains(key)) absent.push_back(key);
  const auto come = read_rows(locker_, table(index), Side::source, hashes_, absent, deadline, ImageOf::columns);
  for (const auto& key : keys) {
    if (come.contains(key))
      again.push_back(key);
    else
      conclude(index, open, key, ours, theirs, again, deadline);
  }
}

void Judge::conclude(std::size_t index, OpenTable& open, const RowKey& key, const RowImages& ours, const RowImages& theirs,
                     std::vector<RowKey>& again, Deadline deadline) {
  const auto *here = find_image(ours, key), *there = find_image(theirs, key);
  if (are_alike(here, there)) {
    ++open.verdict.settled;
  } else if (here == nullptr && ++open.seen_extra[key] < kProofsOfExtra) {
    again.push_back(key);
  } else {
    open.verdict.differences.push_back(difference(index, key, here, there, deadline));
  }
}

RowDifference Judge::difference(std::size_t index, const RowKey& key, const std::string* ours, const std::string* theirs,
                                Deadline deadline) {
  const auto& columns = table(index).columns;
  RowDifference result{ours == nullptr ? RowDifference::Kind::extra
                                       : theirs == nullptr ? RowDifference::Kind::missing : RowDifference::Kind::changed,
                       key, {}, {}, 1};
  std::vector<std::size_t> places;
  if (result.kind == RowDifference::Kind::changed) {
    const auto one = hashes_in(*ours), other = hashes_in(*theirs);
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (one.at(i) != other.at(i)) places.push_back(i);
    for (const auto place : places) result.columns.push_back(columns[place].name.raw());
  } else {
    for (std::size_t i = 0; i < columns.size(); ++i) places.push_back(i);
  }
  if (values_ == Values::hidden) return result;
  const auto mine = read_values(locker_, table(index), Side::source, key, places, deadline);
  const auto yours = read_values(target_, table(index), Side::target, key, places, deadline);
  for (std::size_t i = 0; i < places.size(); ++i)
    result.values.push_back({columns[places[i]].name.raw(), mine.empty() ? std::nullopt : mine[i],
                             yours.empty() ? std::nullopt : yours[i]});
  return result;
}

}  // namespace verdigris
