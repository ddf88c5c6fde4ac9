#include "controller/sandbox/demo_report.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace verdigris {
namespace {

using Json = nlohmann::ordered_json;

CommandResult result_of(const std::string& command, Json json, int exit_code = 0) {
  return {.command = command, .exit_code = exit_code, .json = std::move(json), .errors_tail = {}};
}

CommandResult crossing(const std::string& command, double pause_ms) {
  return result_of(command, {{"pause_ms", pause_ms},
                             {"waiting_clients", 5},
                             {"parts", {{{"step", "pause_traffic"}, {"ms", 9.5}}}},
                             {"parity", {{"verdict", "equal"}, {"tables", 40}, {"uncovered", Json::array()}}}});
}

DemoFindings good() {
  DemoFindings findings;
  findings.tables = 40;
  findings.switches = 3;
  findings.serves = "green";
  findings.crossings = {crossing("switch", 80), crossing("rollback", 70), crossing("switch", 120)};
  findings.verify = result_of("verify", {{"result", "equal"}, {"tables_compared", 40}, {"uncovered", Json::array()}});
  findings.load = result_of("sandbox", {{"client_errors", 0}, {"longest_wait_ms", 150.5}});
  findings.ledger = result_of("sandbox", {{"acknowledged", 9000}, {"lost", 0}, {"duplicated", 0}, {"turns", 3}});
  return findings;
}

Json document_of(const DemoFindings& findings) {
  std::ostringstream results, messages;
  Output output(results, messages, {.json = true}, "sandbox demo");
  print_demo(findings, judge(findings), output);
  EXPECT_EQ(results.str().find('\n'), results.str().size() - 1) << "one line";
  return Json::parse(results.str());
}

TEST(DemoVerdict, IsOkWhenNothingIsLostAndAllIsCompared) {
  EXPECT_EQ(judge(good()).result, "ok");
  const auto document = document_of(good());
  EXPECT_EQ(document.at("pause_ms"), 120);
  EXPECT_EQ(document.at("rollback_pause_ms"), 70);
  EXPECT_EQ(document.at("longest_client_wait_ms"), 150.5);
  EXPECT_EQ(document.at("acknowledged"), 9000);
  EXPECT_EQ(document.at("lost"), 0);
  EXPECT_EQ(document.at("parity"), "equal");
  EXPECT_EQ(document.at("tables"), 40);
  EXPECT_EQ(document.at("tables_compared"), 40);
  EXPECT_EQ(document.at("uncovered"), 0);
  EXPECT_TRUE(document.at("report").is_null());
  EXPECT_EQ(document.at("crossings").size(), 3U);
  EXPECT_EQ(document.at("crossings").at(1).at("command"), "rollback");
  EXPECT_EQ(document.at("crossings").at(1).at("waiting_clients"), 5);
}

TEST(DemoVerdict, FailsOnALostWrite) {
  auto findings = good();
  findings.ledger->json["lost"] = 1;
  EXPECT_EQ(judge(findings).result, "failed");
  EXPECT_EQ(judge(findings).exit_code, kDiffers);
}

TEST(DemoVerdict, FailsIfNothingWasAcknowledgedOrChecked) {
  auto findings = good();
  findings.ledger->json["acknowledged"] = 0;
  EXPECT_EQ(judge(findings).result, "failed");
  findings.ledger.reset();
  EXPECT_EQ(judge(findings).result, "failed");
}

TEST(DemoVerdict, FailsOnAClientErrorUnlessAFaultBrokeConnectionsOfClients) {
  auto findings = good();
  findings.load->json["client_errors"] = 2;
  EXPECT_EQ(judge(findings).result, "failed");
  for (const char* kind : {"controller", "target"}) {
    findings.fault = DemoFault{kind, "undone", "nothing_to_do"};
    EXPECT_EQ(judge(findings).result, "failed") << kind << ": clients were only to wait";
  }
  for (const char* kind : {"source", "pooler"}) {
    findings.fault = DemoFault{kind, "undone", "nothing_to_do"};
    EXPECT_EQ(judge(findings).result, "ok") << kind;
  }
  EXPECT_EQ(document_of(findings).at("fault").at("switch"), "undone");
  EXPECT_EQ(document_of(findings).at("client_errors"), 2) << "said all the same";
}

TEST(DemoVerdict, ARecoveryThatWentForwardProvesNothingAnew) {
  auto findings = good();
  findings.crossings.back() = result_of("recover", {{"result", "done"}, {"pause_ms", nullptr}});
  EXPECT_EQ(judge(findings).result, "ok");
  EXPECT_EQ(document_of(findings).at("parity"), "equal");
}

TEST(DemoReport, TellsTheSameErrorOnceAndWithoutItsSecondLine) {
  auto findings = good();
  findings.fault = DemoFault{"pooler", "undone", "nothing_to_do"};
  findings.load->json["client_errors"] = 3;
  findings.load->json["errors"] = {"1.0 s: pooler: gone\nprobably", "1.1 s: pooler: gone\nprobably", "1.2 s: refused"};
  std::ostringstream results, messages;
  Output output(results, messages, {}, "sandbox demo");
  print_demo(findings, judge(findings), output);
  EXPECT_NE(results.str().find("\n  2 times pooler: gone\n  refused\n"), std::string::npos) << results.str();
}

TEST(DemoVerdict, FailsIfBothSidesTookWrites) {
  auto findings = good();
  findings.ledger->json["turns"] = 4;
  EXPECT_EQ(judge(findings).result, "failed");
}

TEST(DemoVerdict, FailsIfOneComparisonOfSeveralDiffersOrMissesATable) {
  auto findings = good();
  findings.crossings[1].json["parity"]["verdict"] = "different";
  EXPECT_EQ(document_of(findings).at("parity"), "different");
  findings = good();
  findings.crossings[1].json["parity"]["tables"] = 39;
  EXPECT_EQ(document_of(findings).at("tables_compared"), 39);
  EXPECT_EQ(judge(findings).result, "failed");
}

TEST(DemoVerdict, SaysUnknownIfNothingWasCompared) {
  auto findings = good();
  findings.crossings.clear();
  findings.verify.reset();
  EXPECT_EQ(document_of(findings).at("parity"), "unknown");
  EXPECT_TRUE(document_of(findings).at("pause_ms").is_null());
}

TEST(DemoVerdict, CommandThatEndsInUndoneOrNeedsAPersonDecides) {
  auto findings = good();
  findings.failure = result_of("switch", nullptr, kUndone);
  EXPECT_EQ(judge(findings).result, "undone");
  findings.failure->exit_code = kNeedsHuman;
  EXPECT_EQ(judge(findings).result, "human");
  EXPECT_EQ(judge(findings).exit_code, kNeedsHuman);
  findings.failure->exit_code = kFailed;
  EXPECT_EQ(judge(findings).result, "failed");
}

}  // namespace
}  // namespace verdigris
