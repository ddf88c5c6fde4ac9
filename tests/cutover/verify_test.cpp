// The command verify on a prepared sandbox: what it says, its exit codes, and that it leaves the stream running.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "controller/process.hpp"
#include "controller/sandbox/sandbox_state.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

// One sandbox for all tests, prepared.
class Verify : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!have_postgres(15)) return;
    scratch_ = std::make_unique<ScratchDir>();
    const auto up = verdigris({"sandbox", "up", "--dir", dir().string(), "--blue", "15", "--green", "15", "--tables",
                               "10", "--megabytes", "1"});
    ASSERT_EQ(up.exit_code, 0) << up.errors;
    before_prepare_ = verify({});
    const auto prepare = verdigris({"prepare", "-f", playbook()});
    ASSERT_EQ(prepare.exit_code, 0) << prepare.errors;
  }
  static void TearDownTestSuite() {
    if (scratch_) verdigris({"sandbox", "down", "--dir", dir().string()});
    scratch_.reset();
  }
  void SetUp() override { NEED_POSTGRES(15); }

  static ToolResult verdigris(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), VERDIGRIS_PROGRAM);
    return run_tool({arguments, {}, {}}, Deadline::after(180s));
  }
  static ToolResult verify(const std::vector<std::string>& options) {
    std::vector<std::string> arguments{"verify", "-f", playbook(), "--json"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return verdigris(arguments);
  }
  // The one row that differs.
  static Json row_of(const ToolResult& result) {
    const Json document = Json::parse(result.output);
    for (const auto& table : document["tables"])
      if (table.contains("rows")) return table["rows"].size() == 1 ? table["rows"][0] : Json{};
    return {};
  }
  static std::filesystem::path dir() { return scratch_->path() / "s"; }
  static std::string playbook() { return (dir() / "verdigris.yaml").string(); }
  // As the controller's own role, which writes on green for migrations.
  static Connection session(const char* color) {
    const auto state = require_sandbox(dir());
    return Connection::open(state.conninfo(state.side(color), "verdigris"), {color, "verify_test", false, {}}, soon());
  }

  static std::unique_ptr<ScratchDir> scratch_;
  static ToolResult before_prepare_;
};
std::unique_ptr<ScratchDir> Verify::scratch_;
ToolResult Verify::before_prepare_;

TEST_F(Verify, RefusesWhereNoSideFollowsTheOther) {
  EXPECT_EQ(before_prepare_.exit_code, 3) << before_prepare_.errors;
  EXPECT_EQ(Json::parse(before_prepare_.output)["error"]["id"], "phase.verify");
}

TEST_F(Verify, EqualSidesEndInZero) {
  const auto result = verify({});
  EXPECT_EQ(result.exit_code, 0) << result.output << result.errors;
  const Json document = Json::parse(result.output);
  EXPECT_EQ(document["schema"], "verdigris.verify/1");
  EXPECT_EQ(document["result"], "equal");
  EXPECT_EQ(document["source"], "blue");
  EXPECT_EQ(document["tables_compared"], document["tables"].size());
  EXPECT_GT(document["tables_compared"], 9);
  EXPECT_TRUE(document["uncovered"].empty());
  EXPECT_NE(document["position"], "0/0");
}

TEST_F(Verify, DryRunOfASwitchGoesThroughEveryStepAndChangesNothing) {
  const auto dry = verdigris({"switch", "--dry-run", "-f", playbook(), "--json"});
  ASSERT_EQ(dry.exit_code, 0) << dry.output << dry.errors;
  const Json found = Json::parse(dry.output);
  EXPECT_EQ(found["schema"], "verdigris.switch/1");
  EXPECT_EQ(found["result"], "ready") << found;
  EXPECT_GT(found["steps"].size(), 10U);
  const auto status = verdigris({"status", "-f", playbook(), "--json"});
  EXPECT_EQ(Json::parse(status.output)["phase"], "ready") << status.output;
}

TEST_F(Verify, OneChangedValueEndsInFourAndNamesItsTable) {
  Connection green = session("green");
  run(green, "SET session_replication_role = replica");  // silences the table's own triggers
  const std::string email = value(green, "SELECT email FROM public.customers ORDER BY id LIMIT 1");
  run(green, "UPDATE public.customers SET email = email || ' ' WHERE id = (SELECT min(id) FROM public.customers)");
  const auto full = verify({});
  const auto with_values = verify({"--show-values", "--table", "public.customers"});
  const auto text = verdigris({"verify", "-f", playbook()});
  const auto counts = verify({"--mode", "counts"});
  const auto other_table = verify({"--table", "public.products"});
  run(green, "UPDATE public.customers SET email = rtrim(email) WHERE id = (SELECT min(id) FROM public.customers)");
  ASSERT_EQ(value(green, "SELECT email FROM public.customers ORDER BY id LIMIT 1"), email);
  EXPECT_EQ(full.exit_code, 4) << full.output << full.errors;
  const Json document = Json::parse(full.output);
  for (const auto& one : document["tables"])
    EXPECT_EQ(one["equal"], one["name"] != "public.customers") << one["name"];
  const Json row = row_of(full);
  EXPECT_EQ(row["kind"], "changed");
  EXPECT_EQ(row["key"].size(), 1U);
  EXPECT_EQ(row["columns"], Json({"email", "email_key"}));
  EXPECT_FALSE(row.contains("values")) << row;
  EXPECT_EQ(row_of(with_values)["values"]["email"]["blue"], email);
  EXPECT_EQ(row_of(with_values)["values"]["email"]["green"], email + " ");
  EXPECT_NE(text.output.find("changed: key (" + row["key"][0].get<std::string>() + "), columns email, email_key"), std::string::npos) << text.output;
  EXPECT_EQ(text.output.find(email), std::string::npos) << text.output;
  EXPECT_EQ(counts.exit_code, 0) << counts.output;
  EXPECT_EQ(other_table.exit_code, 0) << other_table.output;
  EXPECT_EQ(Json::parse(other_table.output)["tables_compared"], 1);
}

TEST_F(Verify, RepairShowsItsPlanAsksForTheNameAndMakesRowsEqual) {
  Connection green = session("green");
  run(green, "SET session_replication_role = replica; UPDATE public.customers SET email = email || ' ' WHERE id = "
             "(SELECT min(id) FROM public.customers)");
  const auto dry = verify({"--repair", "--dry-run"});
  const auto unnamed = verify({"--repair"});
  const auto differs = verify({"--table", "public.customers"});
  const std::string name = Json::parse(verdigris({"status", "-f", playbook(), "--json"}).output)["deployment"];
  const auto repaired = verify({"--repair", "--confirm", name});
  EXPECT_EQ(dry.exit_code, 4) << dry.output << dry.errors;
  EXPECT_EQ(Json::parse(dry.output)["repair"]["result"], "planned");
  EXPECT_EQ(Json::parse(dry.output)["repair"]["tables"][0]["update"], 1);
  EXPECT_EQ(unnamed.exit_code, 2) << unnamed.output << unnamed.errors;
  EXPECT_EQ(differs.exit_code, 4) << "neither of them wrote";
  EXPECT_EQ(repaired.exit_code, 0) << repaired.output << repaired.errors;
  EXPECT_EQ(Json::parse(repaired.output)["repair"]["result"], "repaired");
  EXPECT_EQ(Json::parse(repaired.output)["repair"]["rows"], 1);
  EXPECT_EQ(verify({}).exit_code, 0);
  EXPECT_EQ(verify({"--dry-run"}).exit_code, 2);
  EXPECT_EQ(verify({"--repair", "--mode", "counts"}).exit_code, 2);
}

TEST_F(Verify, TargetThatDoesNotCatchUpEndsInSeven) {
  Connection green = session("green");
  run(green, "BEGIN; LOCK TABLE public.customers IN SHARE ROW EXCLUSIVE MODE");
  Connection blue = session("blue");
  run(blue, "UPDATE public.customers SET email = email WHERE id = (SELECT min(id) FROM public.customers)");
  const auto result = verify({"--timeout", "4s"});
  run(green, "ROLLBACK");
  EXPECT_EQ(result.exit_code, 7) << result.output << result.errors;
  EXPECT_EQ(verify({}).exit_code, 0) << "the stream goes on";
}

TEST_F(Verify, UnknownTablesAndModesAreErrorsOfTheCommandLine) {
  EXPECT_EQ(verify({"--table", "public.nope"}).exit_code, 2);
  EXPECT_EQ(verify({"--mode", "sample"}).exit_code, 2);
}

}  // namespace
}  // namespace verdigris::test
