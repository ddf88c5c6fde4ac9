#include "controller/pgbouncer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <future>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "controller/pgbouncer_instance.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

// One that does not answer is asked anew after this long: it may have been restarted, or be reached again.
constexpr std::chrono::milliseconds kAttempt{5'000};

constexpr std::chrono::milliseconds kObservation{200};
constexpr std::chrono::milliseconds kCalmPatience{600};
constexpr std::chrono::milliseconds kOneMoreEach{100};  // of what is left then, so that an end is near in any case
constexpr std::chrono::microseconds kGlance{700};
constexpr std::chrono::milliseconds kShedding{800};  // idle for 0.3 s, looked at three times a second
constexpr std::chrono::milliseconds kSheddingLook{20};
constexpr int kFewIdle = 4;  // of all poolers together: they end within a few milliseconds
constexpr std::chrono::milliseconds kMostWait{100};  // for a server connection, while the pooler makes do with fewer
constexpr std::chrono::milliseconds kKeeping{1'000};

using Instances = std::vector<std::unique_ptr<PgBouncerInstance>>;

// One failure is thrown as it is; of several the first gives id and hint, the text has all.
[[noreturn]] void throw_together(const std::vector<std::exception_ptr>& failures) {
  std::string text;
  std::exception_ptr first;
  for (const auto& failure : failures) {
    try {
      std::rethrow_exception(failure);
    } catch (const Error& error) {
      if (!first) first = failure;
      text += (text.empty() ? "" : "; ") + std::string(error.what());
    }  // anything else is a mistake of ours and goes through as it is
  }
  if (failures.size() == 1) std::rethrow_exception(first);
  try {
    std::rethrow_exception(first);
  } catch (const Refused& error) {
    throw Refused(error.id(), text, error.hint());
  } catch (const Error& error) {
    throw Error(error.id(), text, error.hint(), error.failure());
  }
}

// Runs act on every instance, each in a thread of its own if there are several.
template <class Act>
void on_all(const Instances& instances, Act act) {
  std::vector<std::future<void>> running;
  const auto policy = instances.size() > 1 ? std::launch::async : std::launch::deferred;
  running.reserve(instances.size());
  for (const auto& instance : instances) running.push_back(std::async(policy, [&act, &instance] { act(*instance); }));
  std::vector<std::exception_ptr> failures;
  for (auto& one : running) {
    try {
      one.get();
    } catch (...) {
      failures.push_back(std::current_exception());
    }
  }
  if (!failures.empty()) throw_together(failures);
}

}  // namespace

PgBouncerTraffic::PgBouncerTraffic(const PoolerSettings& settings)
    : aliases_(settings.databases), pause_timeout_(settings.pause_timeout) {
  for (const auto& instance : settings.instances)
    instances_.push_back(std::make_unique<PgBouncerInstance>(instance, settings.databases));
}

PgBouncerTraffic::~PgBouncerTraffic() = default;

void PgBouncerTraffic::require_sound(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline) {
  on_all(instances_, [&](PgBouncerInstance& instance) { instance.require_sound(current, budget, deadline); });
  require_whole();
}

void PgBouncerTraffic::require_ready(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline) {
  on_all(instances_, [&](PgBouncerInstance& instance) { instance.require_ready(current, budget, deadline); });
  require_whole();
}

// Each process once, and all that clients may reach.
void PgBouncerTraffic::require_whole() const {
  require_different_processes();
  std::vector<PoolerListening> named;
  for (const auto& instance : instances_) named.push_back(instance->listening());
  require_no_other_listener(named);
}

void PgBouncerTraffic::require_different_processes() const {
  std::map<pid_t, std::string> names;
  for (const auto& instance : instances_) {
    if (instance->pid() == 0) continue;
    const auto [other, is_new] = names.emplace(instance->pid(), instance->name());
    if (!is_new)
      throw Refused("pooler.same-process",
                    "poolers " + other->second + " and " + instance->name() + " are one process, pid " +
                        std::to_string(instance->pid()),
                    "Name each PgBouncer process once, by its own unix socket directory.");
  }
}

void PgBouncerTraffic::stage(const Endpoint& target, Deadline deadline) {
  on_all(instances_, [&](PgBouncerInstance& instance) { instance.stage(target, deadline); });
}

void PgBouncerTraffic::discard_staged() {
  on_all(instances_, [](PgBouncerInstance& instance) { instance.discard_staged(); });
}

void PgBouncerTraffic::require_unedited() {
  for (const auto& instance : instances_) instance->require_unedited();
}

bool PgBouncerTraffic::is_shed(Deadline deadline) {
  PgBouncerInstance::Shed all;
  for (const auto& instance : instances_) {
    const auto one = instance->shed(deadline);
    all.idle += one.idle;
    all.surplus += one.surplus;
    if (one.longest_wait_ms > kMostWait.count()) throw Error("pooler.short-of-servers", instance->name() + " has clients wait");
  }
  return all.surplus == 0 && all.idle <= kFewIdle;
}

void PgBouncerTraffic::shed_idle(Deadline deadline) {
  const Deadline patience = Deadline::after(kShedding).or_earlier(deadline);
  try {
    on_all(instances_, [&](PgBouncerInstance& instance) { instance.shed_idle(patience); });
    while (!patience.has_passed() && !is_shed(patience)) std::this_thread::sleep_for(kSheddingLook);
    return;
  } catch (const Error&) {
    // PAUSE itself says what is wrong with a pooler. What clients have to wait for is not worth it.
  }
  keep_idle(deadline);
}

void PgBouncerTraffic::keep_idle(Deadline deadline) {
  on_all(instances_, [&](PgBouncerInstance& instance) {
    try {
      instance.keep_idle(Deadline::after(kKeeping).or_earlier(deadline));
    } catch (const NoAnswer& error) {
      throw Error("pooler.idle-kept", std::string(error.what()) + ": it may go on closing server connections after 0.3 s",
                  "When it answers again: verdigris recover, or RELOAD on its console.");
    } catch (const CannotConnect&) {
      // The process is gone, and what it was told with it.
    }
  });
}

// Clients wait for the longest of the transactions that are open when PAUSE comes. How many there are changes within
// milliseconds, so an instant with few is chosen: as few as were seen in the time of observation, later one more, ...
// Returns the server processes that were seen; a pool that is short of connections makes new ones all the time.
std::vector<int> PgBouncerTraffic::wait_for_calm(Deadline deadline) {
  std::set<int> backends;
  const auto all = [&] { return std::vector<int>(backends.begin(), backends.end()); };
  const Deadline patience = Deadline::after(std::min(kCalmPatience, deadline.remaining() / 10));
  const Deadline observing = Deadline::after(kObservation).or_earlier(patience);
  int fewest = std::numeric_limits<int>::max();
  try {
    while (!patience.has_passed()) {
      int open = 0;
      for (const auto& instance : instances_) open += instance->transactions(backends, patience);
      if (open == 0) return all();
      if (!observing.has_passed()) fewest = std::min(fewest, open);
      else if (open <= fewest + (kCalmPatience - kObservation - patience.remaining()) / kOneMoreEach) return all();
      std::this_thread::sleep_for(kGlance);
    }
  } catch (const Error&) {
    // A courtesy: PAUSE itself says what is wrong with a pooler.
  }
  return all();
}

void PgBouncerTraffic::pause(Deadline deadline) {
  times_ = PauseTimes{};  // those of an attempt before are over
  closed_backends_.clear();
  auto backends = wait_for_calm(deadline);
  const Deadline limit = Deadline::after(pause_timeout_).or_earlier(deadline);
  times_.first_pause_sent = std::chrono::steady_clock::now();
  on_all(instances_, [&](PgBouncerInstance& instance) {
    instance.send_pause(limit);
    instance.finish_pause(limit);
  });
  closed_backends_ = std::move(backends);  // the pause has proven that no server connection is left
}

void PgBouncerTraffic::resume(Deadline deadline) {
  on_all(instances_, [&](PgBouncerInstance& instance) { instance.resume(deadline); });
  note_release();
}

void PgBouncerTraffic::resume_but_for(const Endpoint& closed, Deadline deadline) {
  on_all(instances_, [&](PgBouncerInstance& instance) { instance.resume(deadline, closed); });
  note_release();
}

// By what each instance noted when it let its clients go; a repetition that found nothing to do changes nothing.
void PgBouncerTraffic::note_release() {
  times_.waiting_clients = 0;
  for (const auto& instance : instances_) {
    const auto& release = instance->release_seen();
    if (!release) continue;
    times_.waiting_clients += release->clients;
    times_.last_resume_acknowledged = std::max(times_.last_resume_acknowledged, std::optional(release->at));
  }
}

void PgBouncerTraffic::clear_trials(Deadline deadline) {
  on_all(instances_, [&](PgBouncerInstance& instance) { instance.clear_trials(deadline); });
}

// Each process by itself: they may stand on machines of their own, with passwords of their own.
std::string PgBouncerTraffic::try_logins(const Endpoint& target, Deadline deadline) {
  std::set<std::string> proven, unknown;  // the latter with what was said
  std::mutex mutex;
  on_all(instances_, [&](PgBouncerInstance& instance) {
    const auto trials = instance.try_logins(target, deadline);
    const std::scoped_lock lock(mutex);
    for (const auto& one : trials) {
      if (one.verdict == LoginTrial::Verdict::proven) proven.insert(one.user);
      else unknown.insert(one.user + " (" + one.answer + ")");
    }
  });
  if (proven.empty() && unknown.empty()) return {};
  std::string text = proven.empty() ? "" : fmt::format("logins tried there: {}", fmt::join(proven, ", "));
  if (unknown.empty()) return text;
  return text + (text.empty() ? "" : "; ") + fmt::format("not to be tried: {}", fmt::join(unknown, ", "));
}

void PgBouncerTraffic::point_to(const Endpoint& target, Deadline deadline) {
  on_all(instances_, [&](PgBouncerInstance& instance) {
    instance.point_to(target, deadline);
    instance.settle();
  });
}

void PgBouncerTraffic::move(const Endpoint& target, Deadline deadline) {
  const Deadline limit = Deadline::after(kAttempt).or_earlier(deadline);
  try {
    on_all(instances_, [&](PgBouncerInstance& instance) {
      instance.point_to(target, limit);
      instance.resume(limit);
      instance.settle();
    });
  } catch (...) {
    note_release();
    throw;
  }
  note_release();
}

bool PgBouncerTraffic::has_moved(const Endpoint& target, Deadline deadline) {
  if (!std::ranges::all_of(instances_, [&](const auto& one) { return one->has_file_for(target); })) return false;
  std::atomic<bool> has_moved = true;
  on_all(instances_, [&](PgBouncerInstance& instance) {
    if (!instance.has_moved(target, deadline)) has_moved = false;
  });
  return has_moved;
}

PlannedActs PgBouncerTraffic::file_changes(const Endpoint& target, Deadline deadline) {
  PlannedActs all;
  for (const auto& instance : instances_)
    for (auto& one : instance->file_changes(target, deadline)) all.push_back(std::move(one));
  return all;
}

// Taken back by the RELOAD of the move.
PlannedActs PgBouncerTraffic::shed_commands() {
  PlannedActs all;
  for (const auto& instance : instances_)
    for (const auto& command : IdleShedding::commands())
      all.push_back({"pooler " + instance->name(), command + " -- unless it keeps a min_pool_size, until RELOAD"});
  return all;
}

PlannedActs PgBouncerTraffic::pause_commands() {
  PlannedActs all;
  for (const auto& instance : instances_)
    for (auto& one : instance->pause_commands()) all.push_back(std::move(one));
  return all;
}

PlannedActs PgBouncerTraffic::move_commands(Deadline deadline) {
  PlannedActs all;
  for (const auto& instance : instances_)
    for (auto& one : instance->move_commands(deadline)) all.push_back(std::move(one));
  return all;
}

std::vector<TrafficState> PgBouncerTraffic::state(Deadline deadline) {
  std::vector<TrafficState> all;
  for (const auto& instance : instances_)
    for (auto& one : instance->state(deadline)) all.push_back(std::move(one));
  return all;
}

std::vector<TrafficState> PgBouncerTraffic::holds(Deadline deadline) {
  std::vector<TrafficState> all;
  for (const auto& instance : instances_)
    for (auto& one : instance->holds(deadline)) all.push_back(std::move(one));
  return all;
}

std::vector<std::string> PgBouncerTraffic::left_behind(Deadline deadline) {
  std::vector<std::string> all;
  for (const auto& instance : instances_)
    for (auto& one : instance->left_behind(deadline)) all.push_back(std::move(one));
  return all;
}

Service PgBouncerTraffic::service(Deadline deadline) {
  Service worst = Service::served;
  for (const auto& instance : instances_) worst = std::max(worst, instance->service(deadline));
  return worst;
}

std::string PgBouncerTraffic::describe() const {
  std::string text = std::to_string(instances_.size()) + " PgBouncer process" + (instances_.size() == 1 ? "" : "es");
  text += aliases_.size() == 1 ? ", database " : ", databases ";
  for (std::size_t i = 0; i < aliases_.size(); ++i) text += (i == 0 ? "" : ", ") + aliases_[i];
  return text;
}

}  // namespace verdigris
