#include "tests/support/catalog_probe.hpp"

#include <fmt/format.h>

#include <utility>

#include "replication/errors.hpp"
#include "tests/support/shop.hpp"
#include "tests/support/thorough.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

const auto kBetweenReadings = is_thorough() ? 5ms : 60ms;
constexpr auto kReadingPatience = 30s;
// A crossing and one back take longer: each closes, waits for markers and compares.
constexpr auto kTwoCrossings = 400ms;

// Whether some table takes writes, of sessions that are there.
Sql fence_question() {
  return Sql(R"(
    SELECT NOT EXISTS (SELECT FROM pg_proc WHERE oid = to_regprocedure('verdigris.fence()') AND prosrc ~ 'RAISE EXCEPTION')
        OR EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                   AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled IN ('O', 'A')
                                   AND t.tgfoid = to_regprocedure('verdigris.fence()'))))");
}

}  // namespace

bool shows_both_open(const std::array<FenceReading, 3>& readings) {
  const auto& [first, second, third] = readings;
  return first.is_open && second.is_open && third.is_open && first.side == third.side && first.side != second.side &&
         third.answered - first.asked < kTwoCrossings;
}

CatalogProbe::CatalogProbe(Shop& shop)
    : servers_{shop.server("blue").conninfo("verdigris", "shop"), shop.server("green").conninfo("verdigris", "shop")},
      thread_([this] { run(); }) {}

CatalogProbe::~CatalogProbe() {
  is_over_ = true;
  thread_.join();
}

std::string CatalogProbe::contradiction() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(readings_, 0) == 0) return "nobody has looked into the catalogs";
  return std::exchange(contradiction_, {});
}

void CatalogProbe::run() {
  for (std::size_t which = 0; !is_over_; which = 1 - which) {
    read(which);
    std::this_thread::sleep_for(kBetweenReadings);
  }
}

void CatalogProbe::read(std::size_t which) {
  auto& session = sessions_[which];
  try {
    const auto deadline = Deadline::after(kReadingPatience);
    if (!session || !session->is_open()) session = Connection::open(servers_[which], {"probe", "verdigris/probe", false, {}}, deadline);
    FenceReading reading{sides_[which], std::chrono::steady_clock::now(), {}, false};
    reading.is_open = session->query(fence_question(), deadline).one_row(1).boolean(0);
    reading.answered = std::chrono::steady_clock::now();
    note(std::move(reading));
  } catch (const Error&) {
    session.reset();  // its server was stopped
    last_.clear();
  }
}

void CatalogProbe::note(FenceReading reading) {
  last_.push_back(std::move(reading));
  if (last_.size() > 3) last_.erase(last_.begin());
  const std::lock_guard lock(mutex_);
  ++readings_;
  if (last_.size() < 3 || !shows_both_open({last_[0], last_[1], last_[2]})) return;
  contradiction_ = fmt::format("the catalogs say that both sides were open: {}, {} and {} again within {} ms", last_[0].side,
                               last_[1].side, last_[2].side,
                               std::chrono::duration_cast<std::chrono::milliseconds>(last_[2].answered - last_[0].asked).count());
}

}  // namespace verdigris::test
