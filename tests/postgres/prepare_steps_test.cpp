// The steps of prepare in their order on real servers: what is on green afterwards is what is on blue.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "controller/process.hpp"
#include "controller/steps/analyze_target.hpp"
#include "controller/steps/catch_up.hpp"
#include "controller/steps/copy_roles.hpp"
#include "controller/steps/copy_tables.hpp"
#include "controller/steps/migrate_target.hpp"
#include "controller/steps/publish_source.hpp"
#include "controller/steps/ready_reverse_path.hpp"
#include "controller/steps/restore_constraints.hpp"
#include "controller/steps/restore_schema.hpp"
#include "controller/steps/set_replica_identity.hpp"
#include "controller/steps/subscribe_target.hpp"
#include "replication/control_schema.hpp"
#include "replication/marker.hpp"
#include "replication/user_objects.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/varied_schema.hpp"

namespace verdigris::test {
namespace {

using Steps = std::vector<std::unique_ptr<Step>>;

Deadline minutes() {
  return Deadline::after(std::chrono::minutes(3));
}

// Both sides as a deployment "shop" has them when prepare begins.
struct Prepared {
  Prepared(Pair& servers, bool is_schema_present = false)
      : pair(servers),
        blue(side(pair.blue(), "blue")),
        green(side(pair.green(), "green")),
        is_present(is_schema_present) {
    install_control_schema(blue.control(), "shop", "blue", soon());
    install_control_schema(green.control(), "shop", "green", soon());
  }

  SchemaSettings schema() const {
    return {.is_present = is_present, .drop_target = true, .tools = {run_tool, tool_directories({})}};
  }
  Conninfo to_blue() { return pair.blue().conninfo("verdigris_repl", "shop"); }
  Conninfo to_green() { return pair.green().conninfo("verdigris_repl", "shop"); }

  Steps steps(std::vector<Migration> migrations = {}) {
    const Source source(blue);
    const Target target(green);
    const Stream forward = Stream::forward("shop");
    Steps list;
    list.push_back(std::make_unique<SetReplicaIdentity>(source, target,
                                                        SetReplicaIdentity::Settings{.is_schema_present = is_present}));
    list.push_back(
        std::make_unique<CopyRoles>(source, target, std::vector<std::string>{"verdigris", "verdigris_repl"}));
    list.push_back(std::make_unique<RestoreSchema>(source, target, schema()));
    list.push_back(std::make_unique<PublishSource>(source, forward, TableSelection{}));
    list.push_back(std::make_unique<CopyTables>(source, target, forward, CopySettings{}, 0, CopyPace{}, true, nullptr));
    list.push_back(std::make_unique<RestoreConstraints>(source, target, schema(), nullptr));
    list.push_back(std::make_unique<MigrateTarget>(target, std::move(migrations), std::chrono::seconds(2)));
    list.push_back(std::make_unique<SubscribeTarget>(source, target, forward, to_blue()));
    list.push_back(std::make_unique<AnalyzeTarget>(target, 2));
    list.push_back(std::make_unique<CatchUp>(source, target, forward, nullptr));
    list.push_back(
        std::make_unique<ReadyReversePath>(source, target, Stream::reverse("shop"), to_green(), TableSelection{}));
    return list;
  }

  Pair& pair;
  Server blue;
  Server green;
  bool is_present;
};

bool is_done(Step& step) {
  return std::holds_alternative<Done>(step.check(minutes()));
}
bool is_ready(Step& step) {
  return std::holds_alternative<Ready>(step.check(minutes()));
}

// Every table's rows as sorted text, one digest per table.
std::string content(Connection& on) {
  std::string text;
  for (const Table& table : user_tables(on, minutes())) {
    if (table.is_partitioned) continue;
    std::vector<Identifier> columns;
    for (const Column& column : table.columns)
      if (column.name.raw() != "added") columns.push_back(column.name);
    const Sql row = columns.empty() ? Sql("''") : Sql("ROW({})::text", Sql::joined(columns, ", "));
    const Result answer = on.query(
        Sql("SELECT count(*), md5(coalesce(string_agg(r, '|' ORDER BY r COLLATE \"C\"), '')) FROM (SELECT {} AS r "
            "FROM ONLY {}) AS t",
            row, table.name),
        minutes());
    text += table.name.display() + " " + answer.one_row(2).text(0) + " " + answer.one_row(2).text(1) + "\n";
  }
  return text;
}

void wait_until_equal_position(Prepared& p) {
  const auto id = write_marker(p.blue.control(), "blue", "test", minutes());
  wait_for_marker(p.green.control(), Stream::forward("shop"), id, minutes());
}

class PrepareSteps : public testing::TestWithParam<std::pair<int, int>> {};

TEST_P(PrepareSteps, MoveEveryRowUnderConcurrentWritesAndAreRepeatable) {
  const auto [blue_major, green_major] = GetParam();
  NEED_POSTGRES(blue_major);
  NEED_POSTGRES(green_major);
  Pair& pair = shared_pair(blue_major, green_major);
  Prepared p(pair);
  create_varied_schema(p.blue.control());
  fill_varied_schema(p.blue.control());
  std::atomic<bool> stop = false;
  std::jthread writer([&] {
    Connection session = admin(pair.blue());
    for (int n = 1; !stop; ++n) write_varied_schema(session, n);
  });
  auto steps = p.steps();
  for (auto& step : steps) {
    SCOPED_TRACE(step->name());
    try {
      ASSERT_FALSE(std::holds_alternative<Blocked>(step->check(minutes())));
      const auto said = step->apply(minutes());
      EXPECT_FALSE(said.empty());
      EXPECT_TRUE(is_done(*step));
      step->apply(minutes());
      EXPECT_TRUE(is_done(*step));
      std::printf("%-22s %s\n", std::string(step->name()).c_str(), said.c_str());
    } catch (const Error& error) {
      stop = true;
      FAIL() << error.id() << ": " << error.what();
    }
  }
  stop = true;
  writer.join();
  wait_until_equal_position(p);
  EXPECT_EQ(content(p.blue.control()), content(p.green.control()));
  for (auto& step : steps) EXPECT_TRUE(is_done(*step)) << step->name();
  EXPECT_EQ(value(p.green.control(), "SELECT convalidated FROM pg_constraint WHERE conname = 'positive'"), "f");
  EXPECT_EQ(value(p.green.control(), "SELECT bool_and(relispopulated) FROM pg_class WHERE relkind = 'm'"), "t");
  for (std::size_t i = steps.size(); i-- > 0;) steps[i]->undo(minutes());
  for (std::size_t i = steps.size(); i-- > 0;) steps[i]->undo(minutes());
  EXPECT_EQ(user_objects(p.green.control(), soon()), "");
  EXPECT_EQ(value(p.blue.control(),
                  "SELECT string_agg(relreplident::text, '' ORDER BY relname) FROM pg_class WHERE relkind = 'r' "
                  "AND relname IN ('log', 'unique_only', 'deferred', 'child')"),
            "dddd");
  EXPECT_TRUE(is_ready(*steps[0]));
}

INSTANTIATE_TEST_SUITE_P(Majors, PrepareSteps,
                         testing::Values(std::pair(15, 17), std::pair(13, 15), std::pair(14, 18), std::pair(15, 15)),
                         [](const auto& pair) {
                           return std::to_string(pair.param.first) + "to" + std::to_string(pair.param.second);
                         });

}  // namespace
}  // namespace verdigris::test
