// The section gates: one key an item, units, ids that stand once, expectations, and what an answer is compared with.
#include "controller/config_gates.hpp"

#include <gtest/gtest.h>

#include "tests/unit/config_sample.hpp"

using namespace verdigris;
using namespace verdigris::tests;
using std::chrono::milliseconds;

namespace {

struct GateCase {
  std::string text, fault;
};

std::string with_gates(const std::string& items) {
  return with_line("gates:\n" + items);
}

const std::string kSql = "id: totals, on: green, query: select 1";

const GateCase kGateCases[] = {
    {with_gates(
         "  - lag: { max: 1MiB, stable_for: 30s }\n"
         "  - long_transactions: { older_than: 10s, action: wait, wait: 20s }\n"
         "  - sql: { id: totals, on: green, query: \"select count(*) from orders where total < 0\", expect: \"= 0\" }\n"
         "  - command: { id: canary, argv: [/usr/local/bin/canary, green], timeout: 30s }"),
     "accepted"},
    {with_line("gates: []"), "accepted"},
    {with_line("gates: { lag: { max: 1MiB } }"), "type: \"gates\" must be a list, not a mapping"},
    {with_gates("  - lag"),
     "type: an item of \"gates\" must be a mapping with one key; one of lag, long_transactions, sql, command belongs "
     "there"},
    {with_gates("  - lag: { max: 1MiB }\n    sql: {}"),
     "type: an item of \"gates\" has 2 keys instead of one; one of lag, long_transactions, sql, command belongs there"},
    {with_gates("  - lagg: { max: 1MiB }"),
     "unknown-key: \"lagg\" is not a kind of gate (lag, long_transactions, sql, command); did you mean \"lag\"?"},
    {with_gates("  - lag: {}"), "missing-key: \"gates[].lag.max\" is missing"},
    {with_gates("  - lag: 1MiB"), "type: \"gates[].lag\" must be a mapping, not a single value"},
    {with_gates("  - lag: { max: 1MB }"),
     "unit: \"1MB\" is not a size: a whole decimal number and one unit (B, KiB, MiB, GiB), nothing between"},
    {with_gates("  - lag: { max: 1024 }"), "unit: \"1024\" needs a unit (B, KiB, MiB, GiB)"},
    {with_gates("  - lag: { max: 0B, wait: 0s }"), "accepted"},
    {with_gates("  - lag: { max: 1MiB, stable_for: 30 }"), "unit: \"30\" needs a unit (ms, s, m, h)"},
    {with_gates("  - lag: { max: 1MiB, stable_four: 30s }"),
     "unknown-key: \"stable_four\" is not a key of \"gates[].lag\"; did you mean \"stable_for\"?"},
    {with_gates("  - lag: { max: 1MiB }\n  - lag: { max: 2MiB }"), "value: two gates have the id \"lag\""},
    {with_gates("  - long_transactions: { older_than: 10s, action: stop }"), "accepted"},
    {with_gates("  - long_transactions: { older_than: 10s, action: terminate }"), "accepted"},
    {with_gates("  - long_transactions: { older_than: 10s, action: wait }"),
     "missing-key: \"gates[].long_transactions.wait\" is missing"},
    {with_gates("  - long_transactions: { older_than: 10s, action: stop, wait: 1s }"),
     "value: \"gates[].long_transactions.wait\" means nothing with action: stop"},
    {with_gates("  - long_transactions: { older_than: 10s, action: terminate, wait: 1s }"),
     "value: \"gates[].long_transactions.wait\" means nothing with action: terminate"},
    {with_gates("  - long_transactions: { older_than: 1s, action: terminate }"), "accepted"},
    {with_gates("  - long_transactions: { older_than: 900ms, action: terminate }"),
     "value: \"gates[].long_transactions.older_than\" is less than 1s: with action: terminate it would end whoever is at "
     "work"},
    {with_gates("  - long_transactions: { older_than: 0s, action: stop }"), "accepted"},
    {with_gates("  - long_transactions: { older_than: 10s, action: terminat }"),
     "value: \"terminat\" is not one of wait, stop, terminate; did you mean \"terminate\"?"},
    {with_gates("  - long_transactions: { action: stop }"),
     "missing-key: \"gates[].long_transactions.older_than\" is missing"},
    {with_gates("  - sql: { " + kSql + ", expect: \"= 0\", timeout: 2s, wait: 1m }"), "accepted"},
    {with_gates("  - sql: { " + kSql + " }"), "missing-key: \"gates[].sql.expect\" is missing"},
    {with_gates("  - sql: { " + kSql + ", expect: 0 }"),
     "value: \"0\" is not an expectation: one of =, !=, <, <=, >, >=, then a number or a 'text'"},
    {with_gates("  - sql: { " + kSql + ", expect: \"== 0\" }"),
     "value: \"== 0\" is not an expectation: one of =, !=, <, <=, >, >=, then a number or a 'text'"},
    {with_gates("  - sql: { " + kSql + ", expect: \"= ok\" }"),
     "value: \"= ok\" is not an expectation: one of =, !=, <, <=, >, >=, then a number or a 'text'"},
    {with_gates("  - sql: { " + kSql + ", expect: \"= 'o'k'\" }"),
     "value: \"= 'o'k'\" is not an expectation: one of =, !=, <, <=, >, >=, then a number or a 'text'"},
    {with_gates("  - sql: { id: totals, on: gren, query: select 1, expect: \"= 1\" }"),
     "value: \"gren\" is not one of blue, green; did you mean \"green\"?"},
    {with_gates("  - sql: { id: totals, on: green, query: \" ; \", expect: \"= 1\" }"), "value: the query is empty"},
    {with_gates("  - sql: { id: To tals, on: green, query: select 1, expect: \"= 1\" }"),
     "value: \"To tals\" is not the id of a gate: a letter, then at most 39 letters, digits, - and _, all small"},
    {with_gates("  - sql: { " + kSql + ", expect: \"= 0\" }\n  - command: { id: totals, argv: [/x/y], timeout: 1s }"),
     "value: two gates have the id \"totals\""},
    {with_gates("  - lag: { max: 1MiB }\n  - command: { id: lag, argv: [/x/y], timeout: 1s }"),
     "value: two gates have the id \"lag\""},
    {with_gates("  - command: { id: canary, argv: [/x/y] }"), "missing-key: \"gates[].command.timeout\" is missing"},
    {with_gates("  - command: { id: canary, argv: [canary, green], timeout: 1s }"),
     "value: \"canary\" is not the absolute path of a program"},
    {with_gates("  - command: { id: canary, argv: [], timeout: 1s }"),
     "value: \"gates[].command.argv\" names no program"},
    {with_gates("  - command: { id: canary, argv: /x/y, timeout: 1s }"),
     "type: \"gates[].command.argv\" must be a list, not a single value"},
    {with_gates("  - command: { id: canary, argv: [/x/y], timeout: 1s, shell: true }"),
     "unknown-key: \"shell\" is not a key of \"gates[].command\""},
};

}  // namespace

TEST(PlaybookGates, AreStrictlyDecoded) {
  for (const auto& one : kGateCases) EXPECT_EQ(only_fault(one.text), one.fault) << one.text;
}

TEST(PlaybookGates, FaultsStandAtTheWordAtFault) {
  EXPECT_EQ(list_faults(with_gates(
                "  - lag: { max: 1 }\n  - sqll: {}\n  - long_transactions: { older_than: 1s, action: now }")),
            "12:17 unit 13:5 unknown-key 14:50 value");
}

TEST(PlaybookGates, AreDecodedAsWritten) {
  const auto gates = decoded(kGateCases[0].text).gates;
  ASSERT_EQ(gates.size(), 4U);
  const auto lag = std::get<LagGate>(gates[0]);
  EXPECT_EQ(lag.max_bytes, 1 << 20);
  EXPECT_EQ(lag.stable_for, milliseconds(30'000));
  EXPECT_EQ(lag.wait, milliseconds(30'000));
  const auto transactions = std::get<LongTransactionsGate>(gates[1]);
  EXPECT_EQ(transactions.older_than, milliseconds(10'000));
  EXPECT_EQ(transactions.action, TransactionPolicy::wait);
  EXPECT_EQ(transactions.wait, milliseconds(20'000));
  const auto sql = std::get<SqlGate>(gates[2]);
  EXPECT_EQ(sql.on, "green");
  EXPECT_EQ(sql.query, "select count(*) from orders where total < 0");
  EXPECT_EQ(sql.expect.value, "0");
  EXPECT_EQ(sql.wait, milliseconds(0)) << "refused at once";
  const auto command = std::get<CommandGate>(gates[3]);
  EXPECT_EQ(command.line.argv, (std::vector<std::string>{"/usr/local/bin/canary", "green"}));
  EXPECT_EQ(command.line.timeout, milliseconds(30'000));
}

TEST(PlaybookGates, ThereAreNoneUnlessTheyAreWritten) {
  EXPECT_TRUE(decoded(kSample).gates.empty());
}

TEST(Expectation, ComparesNumbersAsNumbersAndTextsAsTexts) {
  const auto met = [](const char* expected, const char* answer) {
    const auto result = meets(parse_expectation(expected), answer);
    return !result ? "no number" : *result ? "yes" : "no";
  };
  EXPECT_STREQ(met("= 0", "0"), "yes");
  EXPECT_STREQ(met("= 0", "0.00"), "yes");
  EXPECT_STREQ(met("=0", "1"), "no");
  EXPECT_STREQ(met("!= 0", "1"), "yes");
  EXPECT_STREQ(met("< 10", "9"), "yes") << "as texts it would be no";
  EXPECT_STREQ(met("< 10", "10"), "no");
  EXPECT_STREQ(met("<= 10", "10"), "yes");
  EXPECT_STREQ(met("> -1.5", "-1.4"), "yes");
  EXPECT_STREQ(met(">= 2", "1.99"), "no");
  EXPECT_STREQ(met("= 9007199254740993", "9007199254740992"), "no") << "beyond what a double tells apart";
  EXPECT_STREQ(met("= 0", "none"), "no number");
  EXPECT_STREQ(met("= 0", ""), "no number");
  EXPECT_STREQ(met("= 0", "1e0"), "no number");
  EXPECT_STREQ(met("= 'ok'", "ok"), "yes");
  EXPECT_STREQ(met("= 'it''s'", "it's"), "yes");
  EXPECT_STREQ(met("!= 'ok'", "OK"), "yes");
  EXPECT_STREQ(met("= ''", ""), "yes");
  EXPECT_STREQ(met("< 'b'", "a"), "yes");
  EXPECT_STREQ(met("= '10'", "10.0"), "no");
}
