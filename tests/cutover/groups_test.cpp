// Three streams in each direction. The ledger's tables are in three groups, so each of its transactions travels by all of
// them: nothing may be lost or doubled by the one that comes last.
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <thread>

#include "replication/subscription.hpp"
#include "tests/support/crossing.hpp"
#include "tests/support/mutant.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/probes.hpp"
#include "tests/support/shop.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kGroups = "[[public.ledger_b], [public.ledger_totals]]";

// Of what a playbook calls for: three groups need six workers, and the launcher of a 15 starts them one by one.
class Groups : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!have_postgres(15) || !have_postgres(17)) return;
    shop_ = std::make_unique<Shop>(
        std::vector<std::pair<std::string, std::string>>{{"max_logical_replication_workers", "8"}, {"max_worker_processes", "16"}},
        Majors{.groups = kGroups});
    end_direct_sessions(*shop_);
  }
  static void TearDownTestSuite() { shop_.reset(); }
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    shop_->start_load();
    probes_ = std::make_unique<Probes>(*shop_);
  }
  void TearDown() override {
    probes_.reset();
    if (shop_ == nullptr) return;
    if (shop_->has_load()) end_load();
  }

  std::string ask(const std::string& color, const std::string& sql) {
    auto on = admin(shop_->server(color));
    return value(on, sql);
  }
  std::string objects(const std::string& color) {
    return ask(color, R"(
      SELECT concat_ws(' ',
        (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_replication_slots WHERE database = 'shop'),
        (SELECT count(*) FROM pg_subscription WHERE subenabled), (SELECT count(*) FROM pg_subscription WHERE NOT subenabled)))");
  }
  void cross(const std::string& command, const std::string& to) {
    const auto answer = shop_->cross(command);
    ASSERT_EQ(answer.exit_code, 0) << answer.errors;
    EXPECT_EQ(shop_->serving(), to);
    EXPECT_EQ(probes_->contradiction(to), "");
  }
  void end_load() {
    const auto load = shop_->stop_load();
    EXPECT_EQ(load.value("client_errors", -1), 0) << load.dump(1);
    const auto serving = shop_->serving();
    const auto other = other_side(serving);
    EXPECT_EQ(shop_->difference_after_marker(serving, other), "");
    for (const auto& color : {serving, other}) {
      const auto verdict = shop_->ledger(color);
      EXPECT_TRUE(verdict.is_clean()) << color << ": " << testing::PrintToString(verdict.examples);
      EXPECT_GT(verdict.acknowledged, 0);
    }
  }

  inline static std::unique_ptr<Shop> shop_;
  inline static std::unique_ptr<Probes> probes_;
};

TEST_F(Groups, CarryACutoverThereBackAndThereAgainUnderLoad) {
  EXPECT_EQ(objects("blue"), "3 3 0 3");
  EXPECT_EQ(objects("green"), "3 3 3 0");
  EXPECT_EQ(ask("blue", "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_publication_tables WHERE pubname = 'verdigris_shop_fwd_g3'"),
            "ledger_totals marker_g3");
  EXPECT_EQ(ask("green", "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_publication_tables WHERE pubname = 'verdigris_shop_rev_g2'"),
            "ledger_b marker_g2");
  auto status = shop_->command({"status"});
  ASSERT_EQ(status.json.at("groups").size(), 3u) << status.json.dump(1);
  EXPECT_EQ(status.json.at("groups").at(1).at("stream"), "verdigris_shop_fwd_g2");
  EXPECT_EQ(status.json.at("groups").at(1).at("tables"), nlohmann::json({"public.ledger_b"}));

  cross("switch", "green");
  EXPECT_EQ(objects("blue"), "3 0 3 0") << "the way there is gone but for its publications";
  EXPECT_EQ(objects("green"), "3 3 0 0");
  cross("rollback", "blue");
  EXPECT_EQ(objects("green"), "3 0 3 0");
  cross("switch", "green");
  const auto verified = shop_->command({"verify", "--mode", "full"});
  EXPECT_EQ(verified.exit_code, 0) << verified.json.dump(1) << verified.errors;
  EXPECT_EQ(verified.json.at("result"), "equal");
  cross("rollback", "blue");
}

// Above the line, at it and below it; what is under way by then is told by each stream.
TEST_F(Groups, RecoverEndsWhatAControllerKilledAtTheDrainOrTheWayBackLeft) {
  const std::pair<const char*, bool> points[] = {{"after:begin:drain_to_marker", false},
                                                 {"after:apply:drain_to_marker", false},
                                                 {"before:committed", false},
                                                 {"after:committed", true},
                                                 {"inside:start_reverse", true},
                                                 {"inside:drop_stream", true}};
  for (const auto& [point, is_past_line] : points) {
    const bool goes_back = shop_->serving() == "green";
    const std::string command = goes_back ? "rollback" : "switch";
    SCOPED_TRACE(command + " " + point);
    auto answer = shop_->cross(command, {{"VERDIGRIS_CRASH", point}});
    ASSERT_EQ(answer.exit_code, kKilled) << answer.errors;
    EXPECT_FALSE(shop_->are_both_open());
    const auto recovered = shop_->command({"recover", "--yes"});
    ASSERT_EQ(recovered.exit_code, 0) << recovered.errors;
    const std::string source = goes_back ? "green" : "blue";
    EXPECT_EQ(shop_->serving(), is_past_line ? other_side(source) : source);
    EXPECT_EQ(probes_->contradiction(shop_->serving()), "");
  }
  if (shop_->serving() == "green") cross("rollback", "blue");
}

// The end: nothing of any group is left on the side that serves, or leads anywhere.
TEST_F(Groups, ZFinishLeavesNoStreamOfAnyGroup) {
  cross("switch", "green");
  probes_.reset();
  end_load();
  const auto finished = shop_->command({"finish", "--now", "--confirm", "shop"});
  ASSERT_EQ(finished.exit_code, 0) << finished.errors;
  EXPECT_EQ(objects("green"), "0 0 0 0");
  EXPECT_EQ(objects("blue"), "0 0 0 0");
  EXPECT_EQ(ask("green", "SELECT to_regclass('verdigris.marker_g2') IS NULL"), "t");
}

// Green is given up while one of its groups is off, for a reason: what the others still have comes along, that one stays off.
class GivenUp : public testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    shop_ = std::make_unique<Shop>(
        std::vector<std::pair<std::string, std::string>>{{"max_logical_replication_workers", "8"}, {"max_worker_processes", "16"}},
        Majors{.groups = kGroups});
  }
  std::string ask(const std::string& color, const std::string& sql) {
    auto on = admin(shop_->server(color));
    return value(on, sql);
  }
  void change(const std::string& color, const std::string& sql) {
    auto on = admin(shop_->server(color));
    run(on, sql);
  }
  Answer force(const Environment& environment = {}) {
    return shop_->command({"rollback", "--force", "--accept-loss=1h", "--confirm", "shop"}, environment);
  }
  std::string enabled() {
    return ask("blue", "SELECT string_agg(subname || ' ' || subenabled, ', ' ORDER BY subname) FROM pg_subscription");
  }
  std::unique_ptr<Shop> shop_;
};

TEST_F(GivenUp, DrainsTheGroupsThatRunAndLeavesTheOneThatIsOff) {
  ASSERT_EQ(shop_->cross("switch").exit_code, 0);
  change("blue", "ALTER SUBSCRIPTION verdigris_shop_rev_g2 DISABLE");
  const std::string as_it_was = "verdigris_shop_rev true, verdigris_shop_rev_g2 false, verdigris_shop_rev_g3 true";
  ASSERT_EQ(enabled(), as_it_was);
  ASSERT_EQ(force({{"VERDIGRIS_CRASH", "after:apply:stop_reverse"}}).exit_code, kKilled);
  ASSERT_EQ(shop_->command({"recover", "--yes"}).exit_code, 0);
  EXPECT_EQ(enabled(), as_it_was) << "undone, each is as it was found";

  const auto sender = std::stoi(ask("green", "SELECT pid FROM pg_stat_replication WHERE application_name = 'verdigris_shop_rev'"));
  ::kill(sender, SIGSTOP);
  change("green", "INSERT INTO public.ledger_a (writer, n, seq_value) VALUES (99, 987654, 1)");
  std::jthread goes_on([sender] {
    std::this_thread::sleep_for(1s);  // less than what the drain may take
    ::kill(sender, SIGCONT);
  });
  const auto forced = force();
  ASSERT_EQ(forced.exit_code, 0) << forced.errors;
  EXPECT_NE(forced.json.dump().find("blue may have a part only"), std::string::npos) << forced.json;
  EXPECT_EQ(shop_->serving(), "blue");
  EXPECT_EQ(ask("blue", "SELECT count(*) FROM public.ledger_a WHERE n = 987654"), "1");

  const auto abandoned = shop_->command({"abandon", "--drop-green", "--confirm", "shop"});
  ASSERT_EQ(abandoned.exit_code, 0) << abandoned.errors;
  for (const auto* color : {"blue", "green"})
    EXPECT_EQ(ask(color, R"(
        SELECT concat_ws(' ', (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_replication_slots),
                         (SELECT count(*) FROM pg_subscription), to_regnamespace('verdigris')))"),
              "0 0 0")
        << color;
}

// Without it a TRUNCATE of both would arrive in halves, and stop a stream for good.
TEST_F(GivenUp, AKeyThatCameLaterBetweenGroupsIsSaidByCheck) {
  change("blue", "ALTER TABLE public.ledger_b ADD CONSTRAINT late FOREIGN KEY (writer, n) REFERENCES public.ledger_a NOT VALID");
  const auto answer = shop_->command({"check"});
  EXPECT_NE(answer.exit_code, 0);
  const auto text = answer.json.dump();
  EXPECT_NE(text.find("repl.fk-groups"), std::string::npos) << text;
  EXPECT_NE(text.find("foreign key late"), std::string::npos) << text;
}

// Two streams; the second is held back behind a frozen sender. Its rows are not there, so the line must not come.
class HeldBack : public testing::Test {
 protected:
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
    shop_ = std::make_unique<SmallShop>(std::vector<std::vector<std::string>>{{"public.log"}});
  }
  std::string last_rows(const std::string& color) {
    return shop_->ask(color, "SELECT count(*) FROM public.log WHERE line = 'last'");
  }
  std::unique_ptr<SmallShop> shop_;
};

TEST_F(HeldBack, TheDrainWaitsForTheMarkerOfEachStream) {
  ASSERT_EQ(shop_->ask("blue", "SELECT string_agg(pubname, ' ' ORDER BY pubname) FROM pg_publication"),
            "verdigris_shop_fwd verdigris_shop_fwd_g2");
  Crossing crossing(*shop_);
  crossing.go_through("stand_ready");
  const auto sender = std::stoi(shop_->ask("blue", "SELECT pid FROM pg_stat_replication WHERE application_name = 'verdigris_shop_fwd_g2'"));
  ::kill(sender, SIGSTOP);
  shop_->ask("blue", "INSERT INTO public.log VALUES ('last') RETURNING ''");
  crossing.go_through("fence_source");
  const auto drain = [&] { return error_of([&] { crossing.apply("drain_to_marker", Deadline::after(800ms)); }); };
  EXPECT_EQ(drain(), "deadline-passed");
  EXPECT_EQ(shop_->ask("green", "SELECT count(*) FROM verdigris.marker WHERE kind = 'final'"), "1") << "the first has come";
  crossing.deployment().reopen(soon());
  {
    const Mutant mutant("first_group_drained_alone");
    EXPECT_EQ(drain(), "accepted") << "survived";
  }
  EXPECT_EQ(last_rows("green"), "0");
  ::kill(sender, SIGCONT);
  crossing.apply("drain_to_marker");
  EXPECT_EQ(last_rows("green"), "1");
  crossing.undo();
  EXPECT_TRUE(shop_->accepts_writes("blue"));
}

}  // namespace
}  // namespace verdigris::test
