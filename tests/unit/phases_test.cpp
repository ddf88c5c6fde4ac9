#include "controller/phases.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

std::vector<Record> journal(std::initializer_list<std::pair<const char*, const char*>> events) {
  std::vector<Record> out;
  for (const auto& [event, command] : events) {
    Json detail = Json::object();
    if (std::string(event) == "plan")
      detail = {{"command", command}, {"source", std::string(transition_of(command).source)}};
    out.push_back({1, static_cast<int>(out.size()) + 1, "", "", event, detail});
  }
  return out;
}

TEST(Phases, FollowTheJournal) {
  EXPECT_EQ(standing_of({}).phase, Phase::idle);
  EXPECT_EQ(standing_of(journal({{"plan", "prepare"}})).phase, Phase::idle);
  const auto ready = standing_of(journal({{"plan", "prepare"}, {"finished", ""}}));
  EXPECT_EQ(ready.phase, Phase::ready);
  EXPECT_EQ(ready.serves, "blue");
  const auto switched = standing_of(
      journal({{"plan", "prepare"}, {"finished", ""}, {"plan", "switch"}, {"committed", ""}, {"finished", ""}}));
  EXPECT_EQ(switched.phase, Phase::switched);
  EXPECT_EQ(switched.serves, "green");
}

// As the runner writes it: it goes back from the window's edge when it finds itself held.
TEST(Phases, TheWindowIsOpenFromItsRecordUntilThatIsTakenBack) {
  auto records = journal({{"plan", "prepare"}, {"finished", ""}, {"plan", "switch"}, {"window", ""}});
  records.back().detail = {{"opens", true}};
  EXPECT_TRUE(standing_of(records).open->is_in_window);
  records.push_back({1, 5, "", "", "window", {{"opens", false}}});
  EXPECT_FALSE(standing_of(records).open->is_in_window);
}

TEST(Phases, UndoneSwitchStaysReadyOnceItIsCleared) {
  auto records = journal({{"plan", "prepare"}, {"finished", ""}, {"plan", "switch"}, {"undone", ""}});
  ASSERT_TRUE(standing_of(records).open.has_value());
  EXPECT_TRUE(standing_of(records).open->is_undone);
  records.push_back({1, 5, "", "", "finished", Json::object()});
  EXPECT_FALSE(standing_of(records).open.has_value());
  EXPECT_EQ(standing_of(records).phase, Phase::ready);
  EXPECT_EQ(standing_of(records).serves, "blue");
}

TEST(Phases, TheSideThatDoesNotServeStaysClosedUntilItIsOpenedByWord) {
  auto records = journal({{"plan", "prepare"}});
  EXPECT_FALSE(side_to_stay_closed(standing_of({})));
  EXPECT_FALSE(side_to_stay_closed(standing_of(records))) << "in the midst of a plan";
  const auto add = [&](const char* event, const char* command) {
    for (auto& record : journal({{event, command}})) records.push_back(record);
  };
  add("finished", "");
  EXPECT_EQ(side_to_stay_closed(standing_of(records)), "green");
  for (const char* event : {"plan", "committed", "finished"}) add(event, "switch");
  EXPECT_EQ(side_to_stay_closed(standing_of(records)), "blue");
  for (const char* event : {"plan", "finished"}) add(event, "finish");
  EXPECT_EQ(side_to_stay_closed(standing_of(records)), "blue");
  add("plan", "finish");
  records.back().detail["open_blue"] = true;
  add("finished", "");
  EXPECT_FALSE(side_to_stay_closed(standing_of(records)));
}

TEST(Phases, ForcedRollbackLeavesGreenBehindUntilAbandon) {
  auto records = journal({{"plan", "prepare"}, {"finished", ""}, {"plan", "switch"}, {"committed", ""}, {"finished", ""},
                          {"plan", "rollback --force"}});
  EXPECT_TRUE(is_emergency(standing_of(records)));
  auto undone = records;
  for (auto& record : journal({{"undone", ""}, {"finished", ""}})) undone.push_back(record);
  EXPECT_EQ(standing_of(undone).phase, Phase::switched);
  EXPECT_EQ(standing_of(undone).serves, "green");
  for (auto& record : journal({{"committed", ""}, {"finished", ""}})) records.push_back(record);
  const auto standing = standing_of(records);
  EXPECT_EQ(standing.phase, Phase::ready);
  EXPECT_EQ(standing.serves, "blue");
  EXPECT_EQ(side_to_stay_closed(standing), "green");
  EXPECT_THROW(require_allowed(standing, "prepare"), Refused);
  EXPECT_THROW(require_allowed(standing, "switch"), Refused);
  EXPECT_EQ(require_allowed(standing, "abandon"), Permission::run);
  EXPECT_EQ(require_allowed(standing, kForcedRollback), Permission::already_done);
}

// Undone, it leaves what it was begun over as it was: to be completed should green return.
TEST(Phases, ForcedRollbackMayBeBegunOverACrossingThatWaitsForGreen) {
  auto records = journal({{"plan", "prepare"}, {"finished", ""}, {"plan", "switch"}});
  EXPECT_THROW(require_allowed(standing_of(records), kForcedRollback), Refused) << "blue alone can undo it";
  const auto add = [&](const char* event, const char* command) {
    for (auto& record : journal({{event, command}})) records.push_back(record);
  };
  add("committed", "");
  EXPECT_EQ(require_allowed(standing_of(records), kForcedRollback), Permission::run);
  for (const auto& [event, command] : {std::pair{"plan", "rollback --force"}, std::pair{"undone", ""}}) add(event, command);
  EXPECT_EQ(require_allowed(standing_of(records), kForcedRollback), Permission::run) << "begun anew";
  add("finished", "");
  ASSERT_TRUE(standing_of(records).open);
  EXPECT_EQ(standing_of(records).open->command, "switch");
  EXPECT_TRUE(standing_of(records).open->is_committed);
  for (const auto& [event, command] : {std::pair{"plan", "rollback --force"}, std::pair{"committed", ""}, std::pair{"finished", ""}})
    add(event, command);
  EXPECT_FALSE(standing_of(records).open);
  EXPECT_EQ(standing_of(records).serves, "blue");
  EXPECT_TRUE(standing_of(records).is_left_behind);
}

TEST(Phases, ForcedRollbackMayBeBegunOverARollbackThatIsNotDecided) {
  auto records = journal({{"plan", "prepare"}, {"finished", ""}, {"plan", "switch"}, {"committed", ""}, {"finished", ""}, {"plan", "rollback"}});
  EXPECT_EQ(require_allowed(standing_of(records), kForcedRollback), Permission::run);
  for (auto& record : journal({{"committed", ""}})) records.push_back(record);
  EXPECT_THROW(require_allowed(standing_of(records), kForcedRollback), Refused) << "blue alone can complete it";
}

TEST(Phases, EveryPhaseHasAWayOut) {
  for (const auto phase : {Phase::idle, Phase::ready, Phase::switched}) {
    bool has_way = false;
    for (const auto& transition : transitions())
      has_way |= std::ranges::find(transition.from, phase) != transition.from.end() && transition.to != phase;
    EXPECT_TRUE(has_way) << to_text(phase);
  }
}

TEST(Phases, CommandInTheWrongStateNamesTheStateAndWhatIsPossible) {
  try {
    require_allowed(standing_of({}), "rollback");
    FAIL();
  } catch (const Refused& error) {
    EXPECT_EQ(error.id(), "phase.command");
    EXPECT_NE(std::string(error.what()).find("idle"), std::string::npos);
    EXPECT_NE(error.hint().find("prepare"), std::string::npos);
  }
}

TEST(Phases, WhatAlreadyStandsIsNoError) {
  const auto switched = standing_of(
      journal({{"plan", "prepare"}, {"finished", ""}, {"plan", "switch"}, {"committed", ""}, {"finished", ""}}));
  EXPECT_EQ(require_allowed(switched, "switch"), Permission::already_done);
  EXPECT_EQ(require_allowed(switched, "rollback"), Permission::run);
}

TEST(Phases, InterruptedCutoverAllowsOnlyRecover) {
  const auto open = standing_of(journal({{"plan", "prepare"}, {"finished", ""}, {"plan", "switch"}, {"begin", ""}}));
  for (const char* command : {"prepare", "switch", "rollback", "finish", "abandon"})
    EXPECT_THROW(require_allowed(open, command), Refused) << command;
}

// Readers are on green until they are led back, or all of it is moved; whatever would shut them out is refused meanwhile.
TEST(Phases, ReadersMayBeAheadOfTheWritersWhileBlueServes) {
  auto records = journal({{"plan", "prepare"}, {"finished", ""}, {"plan", "switch --traffic reads"}});
  const auto add = [&](std::initializer_list<std::pair<const char*, const char*>> more) {
    for (auto& record : journal(more)) records.push_back(record);
  };
  EXPECT_TRUE(is_move_of_reads(standing_of(records)));
  EXPECT_EQ(require_allowed(standing_of(records), kReadsToGreen), Permission::run);
  EXPECT_EQ(require_allowed(standing_of(records), kReadsToBlue), Permission::run) << "turned round";
  for (const char* command : {"prepare", "switch", "abandon"}) EXPECT_THROW(require_allowed(standing_of(records), command), Refused) << command;
  add({{"finished", ""}});
  EXPECT_EQ(standing_of(records).phase, Phase::ready);
  EXPECT_EQ(standing_of(records).serves, "blue");
  EXPECT_EQ(reads_of(standing_of(records)), "green");
  for (const char* command : {"prepare", "abandon"}) EXPECT_THROW(require_allowed(standing_of(records), command), Refused) << command;
  auto undone = records;
  for (auto& record : journal({{"plan", "switch"}, {"undone", ""}, {"finished", ""}})) undone.push_back(record);
  EXPECT_EQ(reads_of(standing_of(undone)), "green") << "an undone switch leaves them where they were";
  auto back = records;
  for (auto& record : journal({{"plan", "rollback --traffic reads"}, {"finished", ""}})) back.push_back(record);
  EXPECT_EQ(reads_of(standing_of(back)), "blue");
  add({{"plan", "switch"}, {"committed", ""}, {"finished", ""}});
  EXPECT_EQ(reads_of(standing_of(records)), "green");
  EXPECT_FALSE(standing_of(records).are_reads_ahead) << "with the writers";
  EXPECT_THROW(require_allowed(standing_of(records), kReadsToBlue), Refused);
  add({{"plan", "rollback"}, {"committed", ""}, {"finished", ""}});
  EXPECT_EQ(reads_of(standing_of(records)), "blue");
}

TEST(Phases, AMoveOfReadersThatWasGivenUpEndsWhereItsLastRecordSays) {
  auto records = journal({{"plan", "prepare"}, {"finished", ""}, {"plan", "switch --traffic reads"}, {"finished", ""}});
  records.back().detail = {{"reads", "blue"}};
  EXPECT_EQ(reads_of(standing_of(records)), "blue");
}

TEST(Phases, InterruptedPrepareIsContinuedOrAbandoned) {
  const auto open = standing_of(journal({{"plan", "prepare"}, {"begin", ""}}));
  EXPECT_EQ(require_allowed(open, "prepare"), Permission::run);
  EXPECT_EQ(require_allowed(open, "abandon"), Permission::run);
  EXPECT_THROW(require_allowed(open, "switch"), Refused);
}

}  // namespace
}  // namespace verdigris
