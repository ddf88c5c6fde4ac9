// Mutants of the window between two acts of it (faults, section 6): one switch is walked step by step in this process
// with everything in its way that could be lost, and each safety act that is left out breaks it in its own words.
#include <gtest/gtest.h>

#include <future>

#include "replication/marker.hpp"
#include "tests/support/crossing.hpp"
#include "tests/support/mutant.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/window.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

// Writes into the log of a whole server, in another database, all the time.
class BusyNeighbour {
 public:
  BusyNeighbour(SmallShop& shop, const std::string& color)
      : session_(shop.session(color, "postgres")), ender_(shop.session(color, "postgres")) {
    session_.send(
        Sql("DO $$ BEGIN LOOP PERFORM pg_logical_emit_message(false, 'noise', 'x'), pg_sleep(0.001); END LOOP; END $$"),
        soon());
  }
  ~BusyNeighbour() {
    try {
      run(ender_, "SELECT pg_terminate_backend(" + std::to_string(session_.backend_pid()) + ")");
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }

 private:
  Connection session_, ender_;
};

// A switch with everything in its way. What went wrong in it; empty if nothing did.
class HardSwitch {
 public:
  explicit HardSwitch(SmallShop& shop) : shop_(shop), crossing_(shop), heartbeat_(shop.session("blue")) {}

  std::string broken() {
    crossing_.go_through("stand_ready");
    // Handed out, and in no row: a client may have seen them all the same.
    const std::string taking =
        "SELECT max(v) FROM (SELECT nextval('public.orders_id_seq') AS v FROM generate_series(1, 7)) AS taken";
    const auto handed_out = std::stoll(shop_.ask("blue", taking));
    shop_.ask("blue", "INSERT INTO public.log VALUES ('last on blue') RETURNING ''");
    crossing_.go_through("fence_source");
    const auto undrained = drain();
    if (!undrained.empty()) return "not drained: " + undrained;
    come_to_the_line();
    crossing_.go_through("open_target");
    const std::string order = "INSERT INTO public.orders (note) VALUES ('first on green') RETURNING id";
    const auto next = std::stoll(shop_.ask("green", order));
    shop_.ask("green", "INSERT INTO public.log VALUES ('first on green') RETURNING ''");
    if (next <= handed_out) return "value " + std::to_string(next) + " was handed out twice";
    crossing_.go_through("stop_forward");
    const auto error = error_of([&] { crossing_.apply("start_reverse", Deadline::after(10s)); });
    if (error != "accepted") return "blue does not follow: " + error;
    const auto blue = shop_.rows("blue"), green = shop_.rows("green");
    if (blue != green) return "the sides differ: " + blue + ", " + green;
    crossing_.go_to_the_end();
    return "";
  }

 private:
  // A marker of somebody else is in flight, and the server is busy with another database. Why it failed.
  std::string drain() {
    run(heartbeat_, "BEGIN");
    in_flight_ = write_marker(heartbeat_, "blue", "heartbeat", soon());
    const BusyNeighbour noise(shop_, "blue");
    auto draining = std::async(
        std::launch::async, [&] { return error_of([&] { crossing_.apply("drain_to_marker", Deadline::after(3s)); }); });
    while (draining.wait_for(5ms) != std::future_status::ready && !is_waited_for()) continue;
    if (is_waited_for()) run(heartbeat_, "COMMIT");
    const auto error = draining.get();
    return error == "accepted" ? "" : error;
  }

  bool is_waited_for() {
    return shop_.ask("blue", R"(SELECT EXISTS (SELECT FROM pg_locks
                                WHERE relation = 'verdigris.marker'::regclass AND NOT granted))") == "t";
  }

  // If nobody waited for the marker in flight it comes now, and another one if it is let in.
  void come_to_the_line() {
    crossing_.go_through("fix_reverse_start");
    auto& green = crossing_.target().control();
    if (!marker_arrived(green, Stream::forward("shop"), in_flight_, soon())) run(heartbeat_, "COMMIT");
    wait_for_marker(green, Stream::forward("shop"), in_flight_, soon());
    std::int64_t late = 0;
    const auto error = error_of([&] { late = write_marker(heartbeat_, "blue", "late", soon()); });
    if (error == "accepted") wait_for_marker(green, Stream::forward("shop"), late, soon());
  }

  SmallShop& shop_;
  Crossing crossing_;
  Connection heartbeat_;
  std::int64_t in_flight_ = 0;
};

struct WindowMutant {
  const char* name;
  const char* broken;  // beginning of how
};

std::ostream& operator<<(std::ostream& out, const WindowMutant& mutant) {
  return out << mutant.name;
}

class WindowMutants : public Window, public testing::WithParamInterface<WindowMutant> {
 protected:
  void SetUp() override {
    Window::SetUp();
    is_used_up_ = true;
  }
};

TEST_P(WindowMutants, BreakIt) {
  const Mutant mutant(GetParam().name);
  const auto how = HardSwitch(*shop_).broken();
  const std::string broken = GetParam().broken;
  EXPECT_TRUE(broken.empty() ? how.empty() : how.starts_with(broken))
      << (how.empty() ? "survived" : "not by its own invariant: " + how);
}

// The first is none: nothing is broken. With the proof of sequences in place the one that takes them from a column
// would be undone: it is left out, too, so that the damage is seen.
INSTANTIATE_TEST_SUITE_P(All, WindowMutants,
                         testing::Values(WindowMutant{"", ""}, WindowMutant{"line_after_opening", "the sides differ"},
                                         WindowMutant{"origin_past_line", "the sides differ"},
                                         WindowMutant{"origin_not_advanced", "blue does not follow: apply.failing"},
                                         WindowMutant{"line_before_drain", "blue does not follow: apply.failing"},
                                         WindowMutant{"marker_left_open", "blue does not follow: apply.failing"},
                                         WindowMutant{"marker_without_lock", "blue does not follow: apply.failing"},
                                         WindowMutant{"position_after_marker", "not drained: deadline-passed"},
                                         WindowMutant{"sequences_from_max_of_column,parity_unproven",
                                                      "value 21 was handed out twice"}),
                         [](const auto& mutant) {
                           const std::string name = mutant.param.name;
                           return name.empty() ? "none" : name.substr(0, name.find(','));
                         });

}  // namespace
}  // namespace verdigris::test
