// There and back for the pairs of majors that are promised beside 15 -> 17, which everything else crosses: under load,
// through the program as an operator runs it.
#include "tests/support/shop.hpp"

namespace verdigris::test {
namespace {

constexpr int kTables = 12;  // of a shop

class MajorsOf : public testing::TestWithParam<Majors> {
 protected:
  static void expect_crossed(Shop& shop, const std::string& command, const std::string& serves) {
    const auto answer = shop.cross(command);
    ASSERT_EQ(answer.exit_code, 0) << answer.errors;
    EXPECT_EQ(answer.json.value("serves", "?"), serves) << answer.json;
    const auto& parity = answer.json.at("parity");
    EXPECT_EQ(parity.at("verdict"), "equal") << parity;
    EXPECT_EQ(parity.at("tables"), kTables) << parity;
    EXPECT_TRUE(parity.at("uncovered").empty()) << parity;
    EXPECT_GT(answer.json.value("waiting_clients", 0), 0) << "nobody waited: the pause was not seen by clients";
  }
};

TEST_P(MajorsOf, ThereAndBackLosesNothing) {
  const auto majors = GetParam();
  NEED_POSTGRES(majors.blue);
  NEED_POSTGRES(majors.green);
  Shop shop({}, majors);
  shop.start_load();
  expect_crossed(shop, "switch", "green");
  if (HasFatalFailure()) return;
  expect_crossed(shop, "rollback", "blue");
  if (HasFatalFailure()) return;
  EXPECT_EQ(shop.stop_load().value("client_errors", -1), 0);
  EXPECT_EQ(shop.difference_after_marker("blue", "green"), "");
  for (const std::string color : {"blue", "green"}) {
    const auto verdict = shop.ledger(color);
    EXPECT_TRUE(verdict.is_clean()) << color << ": " << testing::PrintToString(verdict.examples);
    EXPECT_GT(verdict.acknowledged, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Promised, MajorsOf,
                         testing::Values(Majors{13, 15}, Majors{14, 18}, Majors{15, 15}, Majors{16, 18, true},
                                         Majors{17, 18, true}),
                         [](const auto& pair) {
                           return "From" + std::to_string(pair.param.blue) + "To" + std::to_string(pair.param.green);
                         });

}  // namespace
}  // namespace verdigris::test
