#include "controller/gates/gate_watch.hpp"

#include <algorithm>
#include <thread>

#include "controller/config_values.hpp"
#include "controller/runner.hpp"
#include "controller/runner_parts.hpp"
#include "replication/errors.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAskEvery{1'000};
constexpr milliseconds kRunEvery{10'000};  // a program, or what a step looks at
constexpr int kShareOfTime = 10;           // at most a tenth of the time is spent with asking it
constexpr milliseconds kSeldom{60'000};
constexpr milliseconds kQuick{500};         // asked anew right before clients are held
constexpr milliseconds kCounts{60'000};     // what is slower, beyond the time that the slowest takes
constexpr milliseconds kServerAnswer{10'000};
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
  if (!one.answer || one.begun) return true;
  const bool is_dear = one.probe->runs_program() || one.policy.is_told_only;
  // Whoever is waited for is to be seen the moment it ends.
  if (one.waits_since) return ago(one.asked) >= std::max(kAskEvery, one.took);
  return ago(one.asked) >= std::clamp(one.took * kShareOfTime, is_dear ? kRunEvery : kAskEvery, kSeldom);
}

bool GateWatch::is_quick(const Watched& one) const {
  return one.answer && !one.probe->runs_program() && one.took <= kQuick;
}

// Programs begin together: what one had to wait for another does not make its answer old.
bool GateWatch::counts_still(const Watched& one) const {
  milliseconds slowest{0};
  for (const auto& other : all_)
    if (!other.policy.is_told_only) slowest = std::max(slowest, other.took);
  return one.answer && ago(one.asked) < kCounts + slowest;
}

// False if the answer is not there yet.
bool GateWatch::ask(Watched& one) {
  if (!one.begun) one.begun = Clock::now();
  std::optional<GateAnswer> answer;
  try {
    answer = one.probe->ask(Deadline::after(kServerAnswer));
  } catch (const Error& error) {
    if (is_about_connection(error)) throw;  // the session that all share: it is opened anew
    answer = GateAnswer{std::string("it cannot be asked: ") + error.what(), error.hint()};
  }
  if (!answer) return false;
  one.answer = answer;
  one.asked = Clock::now();
  one.took = ago(*std::exchange(one.begun, std::nullopt));
  tell(one);
  return true;
}

void GateWatch::tell(Watched& one) {
  const bool is_red = !one.answer->is_green();
  if (is_red == one.is_told_red) return;
  one.is_told_red = is_red;
  const std::string is = one.answer->is_settling ? " is not green yet: " : " is red: ";
  if (say_) say_("gate " + one.probe->id() + (is_red ? is + one.answer->red : " is green again"));
}

// Until their answers are there. A program is not waited for longer than its own time, and a signal is heard.
void GateWatch::settle(const std::vector<Watched*>& those) {
  std::vector<Watched*> awaited;
  for (auto* one : those)
    if (!ask(*one)) awaited.push_back(one);
  while (!awaited.empty()) {
    if (was_interrupted()) throw Interrupted();
    std::this_thread::sleep_for(kProgramPoll);
    std::erase_if(awaited, [this](Watched* one) { return ask(*one); });
  }
}

void GateWatch::look() {
  for (auto& one : all_)
    if (is_due(one)) ask(one);
}

void GateWatch::wait_for_others() {
  for (auto& one : all_)
    if (one.waits_since) one.waited += ago(*std::exchange(one.waits_since, std::nullopt));
}

// How long it was waited for counts in all: one that turns red ever again holds up nobody for ever.
void GateWatch::weigh(Watched& one) const {
  const auto now = Clock::now();
  if (one.answer->is_green() || one.answer->is_settling) {
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
    if (one.answer->is_green() || first) continue;
    first = "waits for gate " + one.probe->id() +
            (one.answer->is_settling ? " to stay green" : ", at most " + duration_text(one.policy.wait));
  }
  return first;
}

// Nobody is refused for what was seen a while ago, and nobody goes on for it.
std::optional<std::string> GateWatch::obstacle() {
  std::vector<Watched*> needed;
  for (auto& one : all_) {
    if (one.policy.is_told_only) continue;
    const bool is_news = one.answer && !one.answer->is_green() && !one.answer->is_settling && !one.waits_since;
    if (is_news || !counts_still(one)) needed.push_back(&one);
    else if (is_due(one)) ask(one);
  }
  settle(needed);
  return judge();
}

std::optional<std::string> GateWatch::last_obstacle() {
  if (is_mutant("gates_not_asked_again")) return std::nullopt;
  std::vector<Watched*> quick;
  for (auto& one : all_)
    if (!one.policy.is_told_only && is_quick(one)) quick.push_back(&one);
  settle(quick);
  if (auto why = judge()) return why;
  for (const auto& one : all_)
    if (!one.policy.is_told_only && !counts_still(one)) return "gate " + one.probe->id() + " is asked again: its answer is old";
  return std::nullopt;
}

std::optional<GateAnswer> GateWatch::refusal() {
  for (auto& one : all_) {
    if (one.policy.is_told_only || one.probe->runs_program() || one.policy.wait > milliseconds(0)) continue;
    const auto answer = one.probe->ask(Deadline::after(kServerAnswer));
    if (answer && !answer->is_green() && !answer->is_settling)
      return GateAnswer{"gate " + one.probe->id() + ": " + answer->red, answer->hint};
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
