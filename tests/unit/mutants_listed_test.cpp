// Every switch that leaves a safety act out has a test that turns red with it, and every mutant of the window (faults,
// section 6) has a switch, or a reason why there is none. A switch in the sources that is not in this table is a
// failure, so is a row whose test does not name its switch.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace verdigris {
namespace {

namespace fs = std::filesystem;

struct ListedMutant {
  int number;        // M1 to M37
  const char* name;  // of the switch
  const char* file;  // below tests/
  const char* test;  // in it, as it is written there
};

constexpr const char* kMutants = "cutover/mutants_test.cpp";
constexpr const char* kWindow = "cutover/window_mutants_test.cpp";
constexpr const char* kActs = "cutover/window_acts_test.cpp";
constexpr const char* kWaits = "cutover/window_waits_test.cpp";
constexpr const char* kPooler = "cutover/pgbouncer_mutants_test.cpp";
constexpr const char* kFence = "postgres/fence_test.cpp";
constexpr const char* kJournal = "postgres/journal_test.cpp";
constexpr const char* kResume = "postgres/copy_resume_test.cpp";
constexpr const char* kSession = "postgres/connection_test.cpp";

const ListedMutant kListed[] = {
    {1, "no_fence", kMutants, "TurnTheirScenarioRed"},
    {1, "fence_by_session_lock", kFence, "OutlivesItsControllerUnlessItIsItsLock"},
    {1, "fence_without_lock", kFence, "ClosedWithoutTheLockItLeavesAWriterInFlight"},
    {2, "marker_not_awaited", kMutants, "TurnTheirScenarioRed"},  // whatever else is looked at
    {3, "sent_position_awaited", kActs, "ThatEverythingSentIsConfirmedSaysNothingOfTheLastRow"},
    {4, "line_after_opening", kWindow, "BreakIt"},
    {5, "origin_not_advanced", kWindow, "BreakIt"},
    {6, "origin_past_line", kWindow, "BreakIt"},
    {6, "line_before_drain", kWindow, "BreakIt"},
    {7, "reverse_before_forward_gone", kMutants, "TurnTheirScenarioRed"},
    {10, "pause_unproven", kPooler, "ALieAboutPauseIsBelieved"},
    {11, "reload_trusted", kPooler, "AReloadThatOnlySaysItWorkedIsBelieved"},
    {11, "login_retry_before_reload", kPooler, "WhatIsSetBeforeTheReloadIsGoneWithIt"},
    {12, "committed_on_source_alone", kActs, "ASourceThatLostTheDecisionIsNotOpenedBesideTheTarget"},
    {13, "committed_on_target_first", kJournal, "OnTheTargetFirstItWouldStandBesideAnother"},
    {14, "opened_before_undone", kJournal, "OpenedBeforeUndoneItWouldBeOpenBesideTheTarget"},
    {15, "next_number_tried", kJournal, "TheNextNumberWouldBeASecondDecision"},
    {16, "target_records_unread", kActs, "ASourceThatLostTheDecisionIsNotOpenedBesideTheTarget"},
    {17, "lease_not_compared", kActs, "ALostSessionIsOpenedAnewWithItsLeaseOrNotAtAll"},
    {17, "decided_on_another_session", kJournal, "OnAnotherSessionItWouldDecideAllTheSame"},
    {18, "sequences_not_copied", kMutants, "TurnTheirScenarioRed"},
    {18, "parity_unproven", kMutants, "TurnTheirScenarioRed"},  // together with another: that one alone would be found
    {18, "sequences_from_max_of_column", kWindow, "BreakIt"},
    {18, "sequences_set_backwards", kSession, "ASequenceThatIsAheadIsNotSetBack"},
    {19, "coverage_before_window_alone", kActs, "ATableThatIsBornBehindTheLastLookIsSeen"},
    {20, "fence_on_roots_alone", kFence, "MissingOnAKindOfTableItIsOpenThere"},
    {20, "fence_on_leaves_alone", kFence, "MissingOnAKindOfTableItIsOpenThere"},
    {20, "fence_not_on_middle_levels", kFence, "MissingOnAKindOfTableItIsOpenThere"},
    {20, "fence_not_on_unpublished", kFence, "MissingOnAKindOfTableItIsOpenThere"},
    {21, "prepared_not_looked_for", kActs, "APreparedTransactionIsNamedWhetherItHoldsALockOrNot"},
    {22, "opening_locks_tables", kFence, "OpeningByWayOfTableLocksWaitsForWhoeverHoldsOne"},
    {24, "endless_pause", kPooler, "APauseWithoutItsDeadlineWaitsForEver"},
    {24, "endless_fence_lock", kWaits, "EveryWaitAtTheFenceAndForTheMarkerHasAnEnd"},
    {24, "endless_bypass", kWaits, "EveryWaitAtTheFenceAndForTheMarkerHasAnEnd"},
    {24, "endless_marker", kWaits, "EveryWaitAtTheFenceAndForTheMarkerHasAnEnd"},
    {24, "endless_drain", kWaits, "EveryWaitOfTheProofsHasAnEnd"},
    {24, "endless_sequences", kWaits, "EveryWaitAtTheLineAndBelowItHasAnEnd"},
    {24, "endless_decision", kWaits, "EveryWaitAtTheLineAndBelowItHasAnEnd"},
    {24, "endless_disable", kWaits, "EveryWaitAtTheLineAndBelowItHasAnEnd"},
    {24, "endless_return", kWaits, "EveryWaitAtTheLineAndBelowItHasAnEnd"},
    {24, "endless_resume", kPooler, "AResumeWithoutItsDeadlineWaitsForEver"},
    {24, "endless_standbys", kWaits, "EveryWaitOfTheProofsHasAnEnd"},
    {24, "endless_parity", kWaits, "EveryWaitOfTheProofsHasAnEnd"},
    {25, "access_opened_to_defaults", kFence, "ConnectionFenceShutsOutAndRestoresGrantsGrantorByGrantor"},
    {26, "source_opened_below_line", "unit/runner_test.cpp", "StuckBelowTheLineAsksForAPersonAndNeverGoesBack"},
    {27, "identity_once", kActs, "OnlyTheServerThatWasProvenIsOpenedAndOnlyACompleteWayBackIsTaken"},
    {28, "commit_warning_ignored", kSession, "AWarningAtCommitIsDoubt"},
    {29, "waiting_slot_not_advanced", kActs, "TheWaitingSlotIsAdvancedBehindAClosedFenceAlone"},
    {31, "line_not_durable", kMutants, "TurnTheirScenarioRed"},
    {32, "reverse_slot_advanced", kMutants, "TurnTheirScenarioRed"},
    {32, "waiting_slot_advanced_anyway", kActs, "TheWaitingSlotIsAdvancedBehindAClosedFenceAlone"},
    {32, "confirmed_flush_unasserted", kActs, "OnlyTheServerThatWasProvenIsOpenedAndOnlyACompleteWayBackIsTaken"},
    {33, "reverse_left_enabled", kActs, "TheWayBackIsStoppedForGoodAndItsOriginMovedOnce"},
    {34, "marker_left_open", kWindow, "BreakIt"},
    {34, "marker_without_lock", kWindow, "BreakIt"},
    {34, "marker_ids_per_side", kSession, "MarkersOfBothSidesAreDifferent"},
    {35, "origin_advanced_again", kActs, "TheWayBackIsStoppedForGoodAndItsOriginMovedOnce"},
    {36, "position_after_marker", kWindow, "BreakIt"},
    {37, "login_retry_kept", kPooler, "AUserWhoFirstComesInThePauseWaitsForLoginRetry"},
    {2, "first_group_drained_alone", "cutover/groups_test.cpp", "TheDrainWaitsForTheMarkerOfEachStream"},
    // Beyond the numbers: a copy that goes on; a standby that is promoted without the fence; gates that turn red at the last moment; CONNECT
    // that comes back behind the fence.
    {0, "gates_not_asked_again", "cutover/gates_test.cpp", "AreAskedOnceMoreRightBeforeClientsAreHeld"},
    {0, "shut_out_once", "cutover/fence_blockers_test.cpp", "ARoleThatIsLetInAgainBehindTheFenceIsSeen"},
    {0, "copied_noted_apart", kResume, "RowsAreThereIfAndOnlyIfThatIsNoted"},
    {0, "copy_never_gives_way", "postgres/copy_locks_test.cpp", "WithoutThatTheyWaitUntilTheCopyIsOver"},
    {0, "dirty_keys_forgotten", "cutover/followed_parity_test.cpp", "WithoutItsKeysALostChangeIsNotSeen"},
    {0, "foreign_writes_unseen", "cutover/followed_parity_test.cpp", "WithoutGreensChangesAWriteThereIsNotSeen"},
    {0, "repair_unlocked_rows", "postgres/parity_repair_test.cpp", "ARowCannotChangeBetweenTheLookAndTheWrite"},
    {0, "no_recheck", "postgres/parity_keys_test.cpp", "SuspectsThatAreBelievedAtOnceAreFalse"},
    {0, "accept_first_hash", "postgres/parity_keys_test.cpp", "ALostChangeIsNotTakenForOneThatIsOnItsWay"},
    {0, "copy_storage_not_compared", kResume, "WithoutALookAtTheFilesRowsWouldBeLost"},
    {0, "copy_snapshot_not_imported", kResume, "UnderAnotherSnapshotWhatTheSlotSendsWouldBeThereTwice"},
    {0, "inclusive_start", "postgres/provision_physical_test.cpp", "OneRecordFurtherOrBluesJournalIsSeen"},
    {0, "journal_of_blue_kept", "postgres/provision_physical_test.cpp", "OneRecordFurtherOrBluesJournalIsSeen"},
    {0, "standbys_not_awaited", "cutover/standbys_test.cpp", "PromotedWithoutTheFenceItWouldBeOpenAndRecoverClosesIt"},
};

// Without a switch, and why.
const std::map<int, const char*> kWithoutSwitch = {
    {8,
     "no code enables a stream that ran before: drop_stream drops it, ready_reverse_path makes the next; the walk of "
     "step_contract_test there, back and there again compares both sides"},
    {9, "no code refreshes a subscription: create_subscription connects and demands all tables (stream_objects_test)"},
    {23, "not of the window: progress is read from the servers each time it is shown, none is stored"},
    {30, "not of the window: messages of the connection, tried by pooler and playbook tests"},
};

std::string text_of_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::set<std::string> switches_in_sources() {
  static const std::regex asked{R"rx(\b(?:is_mutant|bounded)\("([a-z_]+)")rx"};
  std::set<std::string> names;
  for (const char* folder : {"controller", "healthcheck", "replication"})
    for (const auto& file : fs::recursive_directory_iterator(fs::path(VERDIGRIS_SOURCE_DIR) / folder)) {
      if (file.path().extension() != ".cpp" && file.path().extension() != ".hpp") continue;
      const auto text = text_of_file(file.path());
      for (std::sregex_iterator at(text.begin(), text.end(), asked), end; at != end; ++at) names.insert((*at)[1]);
    }
  return names;
}

TEST(MutantsListed, EverySwitchOfTheSourcesIsInTheTableAndNoOther) {
  std::set<std::string> listed;
  for (const auto& one : kListed) listed.insert(one.name);
  EXPECT_EQ(switches_in_sources(), listed);
}

TEST(MutantsListed, TheTestOfEachNamesItsSwitch) {
  for (const auto& one : kListed) {
    SCOPED_TRACE(std::string("M") + std::to_string(one.number) + " " + one.name);
    const auto text = text_of_file(fs::path(VERDIGRIS_SOURCE_DIR) / "tests" / one.file);
    EXPECT_NE(text.find(std::string(", ") + one.test + ")"), std::string::npos)
        << one.file << " has no test " << one.test;
    EXPECT_TRUE(std::regex_search(text, std::regex(std::string("[\",]") + one.name + "[\",]")))
        << one.file << " does not set it";
  }
}

TEST(MutantsListed, EveryNumberHasASwitchOrAReason) {
  for (int number = 1; number <= 37; ++number) {
    const bool is_listed = std::ranges::any_of(kListed, [&](const ListedMutant& one) { return one.number == number; });
    EXPECT_NE(is_listed, kWithoutSwitch.contains(number)) << "M" << number;
  }
}

}  // namespace
}  // namespace verdigris
