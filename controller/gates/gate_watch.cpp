#include "controller/gates/gate_watch.hpp"

#include <algorithm>
#include <thread>

#include "controller/config_values.hpp"
#include "controller/runner.hpp"
#include "replication/errors.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAskEvery{1'000};
constexpr milliseconds kRunEvery{10'000};  // a program
constexpr int kShareOfTime = 10;           // at most a tenth of the time is spent with asking it
constexpr milliseconds kSeldom{60'000};
constexpr milliseconds kFreshEnough{2'000};  // a program's answer counts so long even at last
constexpr milliseconds kProgramPoll{10};

milliseconds ago(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - then);
}

}  // namespace

GateWatch& GateWatch::add(std::unique_ptr<Probe> probe, GatePolicy policy) {
  all_.push_back({std::move(probe), policy});
  return *this;
}

bool GateWatch::has_gates() const {
  return ender_ != nullptr || std::ranges::any_of(all_, [](const Watched& one) { return !one.policy.is_told_only; });
}

std::vector<std::string> GateWatch::descriptions() const {
  std::vector<std::string> out;
  for (const auto& one : all_)
    if (!one.policy.is_told_only) out.push_back(one.probe->describe());
  return out;
}

bool GateWatch::is_due(const Watched& one) const {
  if (!one.answer) return true;
  const auto least = one.probe->runs_program() ? kRunEvery : kAskEvery;
  // Whoever is waited for is to be seen the moment it ends.
  if (one.waits_since) return ago(one.asked) >= kAskEvery;
  return ago(one.asked) >= std::clamp(one.took * kShareOfTime, least, kSeldom);
}

bool GateWatch::is_fresh(const Watched& one) const {
  return one.answer && one.probe->runs_program() && ago(one.asked) < kFreshEnough;
}

// False if the answer is not there yet.
bool GateWatch::ask(Watched& one, Deadline deadline) {
  const auto begin = Clock::now();
  std::optional<GateAnswer> answer;
  try {
    answer = one.probe->ask(deadline);
  } catch (const ServerError& error) {
    answer = GateAnswer{std::string("it cannot be asked: ") + error.what(), error.hint()};
  }
  if (!answer) return false;
  one.answer = answer;
  one.asked = Clock::now();
  one.took = ago(begin);
  tell(one);
  return true;
}

void GateWatch::tell(Watched& one) {
  const bool is_red = !one.answer->is_green();
  if (is_red == one.is_told_red) return;
  one.is_told_red = is_red;
  if (say_) say_("gate " + one.probe->id() + (is_red ? " is red: " + one.answer->red : " is green again"));
}

// Until its answer is there. A program is not waited for longer than its own time, and a signal is heard.
void GateWatch::settle(Watched& one, Deadline deadline) {
  while (!ask(one, deadline)) {
    if (was_interrupted()) throw Error("interrupted", "interrupted by a signal", "Run the same command to go on.");
    std::this_thread::sleep_for(kProgramPoll);
  }
}

void GateWatch::look(Deadline deadline) {
  for (auto& one : all_)
    if (is_due(one)) ask(one, deadline);
}

void GateWatch::wait_for_others() {
  for (auto& one : all_)
    if (one.waits_since) one.waited += ago(*std::exchange(one.waits_since, std::nullopt));
}

// How long it was waited for counts in all: one that turns red ever again holds up nobody for ever.
void GateWatch::weigh(Watched& one) const {
  const auto now = Clock::now();
  if (one.answer->is_green()) {
    if (one.waits_since) one.waited += ago(*std::exchange(one.waits_since, std::nullopt));
    return;
  }
  if (!one.waits_since) one.waits_since = now;
  const auto waited = one.waited + ago(*one.waits_since);
  if (waited < one.policy.wait) return;
  const bool is_waited_for = one.policy.wait > milliseconds(0);
  throw Error("gate." + one.probe->id(),
              "gate " + one.probe->id() + ": " + one.answer->red +
                  (is_waited_for ? ", and it was waited for " + duration_text(one.policy.wait) : ""),
              one.answer->hint, is_waited_for ? Failure::timed_out : Failure::refused);
}

std::optional<std::string> GateWatch::judge() {
  std::optional<std::string> first;
  for (auto& one : all_) {
    if (one.policy.is_told_only || !one.answer) continue;
    weigh(one);
    if (!one.answer->is_green() && !first)
      first = "waits for gate " + one.probe->id() + ", at most " + duration_text(one.policy.wait);
  }
  return first;
}

std::optional<std::string> GateWatch::obstacle(Deadline deadline) {
  for (auto& one : all_) {
    if (one.policy.is_told_only) continue;
    // Nobody is refused for what was seen a while ago.
    const bool is_news = !one.answer || (!one.answer->is_green() && !one.waits_since);
    if (is_news)
      settle(one, deadline);
    else if (is_due(one))
      ask(one, deadline);
  }
  return judge();
}

std::optional<std::string> GateWatch::last_obstacle(Deadline deadline) {
  if (is_mutant("gates_not_asked_again")) return std::nullopt;
  for (auto& one : all_)
    if (!one.policy.is_told_only && !is_fresh(one)) settle(one, deadline);
  return judge();
}

std::optional<GateAnswer> GateWatch::refusal(Deadline deadline) {
  for (auto& one : all_) {
    if (one.policy.is_told_only || one.probe->runs_program() || one.policy.wait > milliseconds(0)) continue;
    const auto answer = one.probe->ask(deadline);
    if (answer && !answer->is_green()) return GateAnswer{"gate " + one.probe->id() + ": " + answer->red, answer->hint};
  }
  return std::nullopt;
}

std::string GateWatch::account() const {
  const auto counts = [](const Watched& one) { return !one.policy.is_told_only; };
  const auto is_green = [&](const Watched& one) { return counts(one) && one.answer && one.answer->is_green(); };
  return std::to_string(std::ranges::count_if(all_, is_green)) + " of " +
         std::to_string(std::ranges::count_if(all_, counts)) + " gates green";
}

}  // namespace verdigris
