#include "tests/support/probes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "controller/sandbox/load_writers.hpp"
#include "controller/sandbox/roles.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shop.hpp"
#include "tests/support/thorough.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

const bool is_soak = is_thorough();
const auto kPace = is_soak ? 8ms : 20ms;
// A login that is refused is a process of the server all the same, of 40 ms of a virtual machine's processor: at 30 ms it
// was most of what a test took.
const auto kRefusedPace = is_soak ? 30ms : 200ms;
constexpr auto kPatience = 60s;      // longer than clients are held in any test
// Beside those of the load (ledger_file.hpp).
constexpr int kProbeThroughPooler = 99;
constexpr int kProbeOfBlue = kDirectToBlue + 9;
constexpr int kProbeOfGreen = kDirectToGreen + 9;

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

Conninfo straight_to(Shop& shop, const std::string& color) {
  return shop.server(color).conninfo(kPoolUser.user, "shop").with("passfile", shop.pooler().passfile().string());
}

}  // namespace

std::string overlap(const std::vector<ProbeWrite>& old_side, const std::vector<ProbeWrite>& new_side) {
  if (new_side.empty()) return "";
  const auto taken = std::ranges::min(new_side, {}, &ProbeWrite::acknowledged).acknowledged;
  const auto later = std::ranges::count_if(old_side, [&](const ProbeWrite& write) { return write.sent > taken; });
  if (later == 0) return "";
  const auto last = std::ranges::max(old_side, {}, &ProbeWrite::sent).sent;
  return fmt::format("two writable sides: the old one took {} writes that were sent up to {:.1f} ms after the new one "
                     "had acknowledged its first",
                     later, ms_between(taken, last));
}

ProbeWriter::ProbeWriter(LedgerFile& ledger, Conninfo through, int writer)
    : through_(std::move(through)),
      writer_(writer),
      n_(first_number_now()),
      ledger_(ledger),
      thread_([this] { run(); }) {}

ProbeWriter::~ProbeWriter() {
  is_over_ = true;
  thread_.join();
}

std::vector<ProbeWrite> ProbeWriter::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(writes_, {});
}

bool ProbeWriter::wait_for_write(Deadline deadline) {
  for (const auto from = Clock::now(); !deadline.has_passed(); std::this_thread::sleep_for(1ms)) {
    const std::lock_guard lock(mutex_);
    if (!writes_.empty() && writes_.back().sent >= from) return true;
  }
  return false;
}

void ProbeWriter::run() {
  while (!is_over_) {
    const bool was_taken = write();
    std::this_thread::sleep_for(was_taken ? kPace : kRefusedPace);
  }
}

void ProbeWriter::login() {
  if (session_ && session_->is_open()) return;
  session_ = Connection::open_plain(through_, {"probe", "shop/probe", false, {}}, Deadline::after(kPatience));
}

// A session that is ended while its answer is awaited leaves a write that may stand or not: no side is accused by it.
bool ProbeWriter::write() {
  const std::lock_guard lock(mutex_);
  const auto n = ++n_;
  try {
    login();
    ProbeWrite made{Clock::now(), {}};
    const auto answer = session_->commit_alone(ledger_write(), {std::to_string(writer_), std::to_string(n)},
                                               Deadline::after(kPatience));
    made.acknowledged = Clock::now();
    ledger_.add(true, writer_, n, answer.one_row(1).integer(0));
    writes_.push_back(made);
    return true;
  } catch (const OutcomeUnknown&) {
    ledger_.add(false, writer_, n, 0);
  } catch (const Error&) {
    // refused: by the login, or by the fence
  }
  return false;
}

Probes::Probes(Shop& shop)
    : ledger_(shop.dir() / "ledger"),
      serving_(shop.serving()),
      blue_(ledger_, straight_to(shop, "blue"), kProbeOfBlue),
      green_(ledger_, straight_to(shop, "green"), kProbeOfGreen),
      catalogs_(shop) {}

void Probes::add(const Conninfo& through) { pooled_.emplace(ledger_, through, kProbeThroughPooler); }

std::string Probes::contradiction(const std::string& serving) {
  const auto of_writers = contradiction_of_writers(serving);
  const auto of_catalogs = catalogs_.contradiction();
  return of_writers + (of_writers.empty() || of_catalogs.empty() ? "" : "; ") + of_catalogs;
}

std::string Probes::contradiction_of_writers(const std::string& serving) {
  const std::string before = std::exchange(serving_, serving);
  if (!(serving == "blue" ? blue_ : green_).wait_for_write(soon())) return serving + " takes no writes";
  const auto to_blue = blue_.take();
  const auto to_green = green_.take();
  const auto& of_serving = serving == "blue" ? to_blue : to_green;
  const auto& of_other = serving == "blue" ? to_green : to_blue;
  if (before != serving) return overlap(of_other, of_serving);
  if (of_other.empty()) return "";
  return fmt::format("{} served all the time, and {} writes were taken beside it", serving, of_other.size());
}

void end_direct_sessions(Shop& shop) {
  write(shop.playbook(), replaced(read(shop.playbook()), "fence: { ", "fence: { bypass: terminate, "));
}

}  // namespace verdigris::test
