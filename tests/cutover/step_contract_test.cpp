// Every step of every plan, as the plans make it, on real servers: it can be repeated, undone and repeated again, and
// check() tells the truth about it. The walk is there, back, there again, and the end. What a step may not be asked is in
// one table, with the reason; what it is for is in another, so that a step that does nothing cannot pass.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include "controller/plans.hpp"
#include "replication/access.hpp"
#include "replication/control_schema.hpp"
#include "replication/fence.hpp"
#include "replication/sequences.hpp"
#include "replication/side.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"
#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/varied_schema.hpp"
#include "tests/support/world_image.hpp"

namespace verdigris::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
Deadline minute() { return Deadline::after(60s); }
enum class Excuse { nothing_to_do, nothing_to_undo, leaves_our_objects };
struct Exception {
  std::string command, step;
  Excuse excuse;
  std::string reason;
};

const std::vector<Exception>& exceptions() {
  using enum Excuse;
  static const std::vector<Exception> table = {
      {"prepare", "copy_roles", nothing_to_undo, "roles belong to the whole server; other databases may use them by now"},
      {"prepare", "restore_constraints", nothing_to_undo, "goes with the schema, in the undo of restore_schema"},
      {"prepare", "analyze_target", nothing_to_undo, "statistics go with the tables"},
      {"prepare", "catch_up", nothing_to_undo, "its marker has been applied; that cannot be unsaid"},
      {"prepare", "close_follower", leaves_our_objects, "the function verdigris.fence() stays, open, until abandon"},
      {"prepare", "install_source_fence", leaves_our_objects, "the function verdigris.fence() stays, open, until abandon"},
      {"prepare", "migrate_target", leaves_our_objects, "the empty list verdigris.migration stays until abandon"},
      {"switch", "ready_reverse_path", nothing_to_do, "prepare laid the first way back"},
      {"rollback", "ready_reverse_path", nothing_to_undo, "an attempt that is undone keeps the way back for the next"},
      {"again", "ready_reverse_path", nothing_to_undo, "an attempt that is undone keeps the way back for the next"},
      {"*", "drain_to_marker", nothing_to_undo, "the marker's fence opens with the source, in the undo of fence_source"},
      {"*", "stand_ready", nothing_to_undo, "sequences of the closed side only go up; ahead is harmless"},
      {"*", "copy_sequences", nothing_to_undo, "sequences of the closed side only go up; ahead is harmless"},
  };
  return table;
}

bool is_excused(const std::string& command, std::string_view step, Excuse excuse) {
  const bool is_crossing = command != "prepare" && command != "finish";
  return std::ranges::any_of(exceptions(), [&](const Exception& e) {
    return e.step == step && e.excuse == excuse && (e.command == command || (e.command == "*" && is_crossing));
  });
}

void write_text(const fs::path& file, const std::string& text) { fs::create_directories(file.parent_path()), std::ofstream(file) << text; }

// What stays over the plans: two servers with data on blue, a pooler, a playbook.
struct World {
  explicit World(bool in_groups) : is_grouped(in_groups), pooler(pair.pooler("a")) {
    auto blue = admin(pair.blue());
    create_varied_schema(blue);
    run(blue, R"(INSERT INTO public.orders (note, total) SELECT 'n', i FROM generate_series(1, 40) AS i;
                 INSERT INTO public.log SELECT now(), 'line', i FROM generate_series(1, 40) AS i;
                 INSERT INTO public.unique_only SELECT i, i, 'c' FROM generate_series(1, 40) AS i;
                 INSERT INTO public.events SELECT i, 'eu', date '2020-01-01' + i, 'b' FROM generate_series(1, 40) AS i;
                 INSERT INTO public.parent SELECT i, 'p' FROM generate_series(1, 40) AS i;
                 CREATE ROLE clerk; GRANT app_owner TO clerk)");
    write_text(pair.dir() / "migrations/0001_grade/up.sql",
               "ALTER TABLE public.checked ADD COLUMN grade int NOT NULL DEFAULT 3;\n"
               "CREATE INDEX checked_grade ON public.checked (grade);\n");
    write_text(pair.dir() / "migrations/0001_grade/down.sql", "ALTER TABLE public.checked DROP COLUMN grade;\n");
    write_passfile(pair.dir() / "passfile");
  }

  Playbook playbook() {
    Playbook p;
    p.name = "shop";
    p.blue = pair.blue().conninfo("verdigris", "shop");
    p.green = pair.green().conninfo("verdigris", "shop");
    p.replication.to_blue = pair.blue().conninfo("verdigris_repl", "shop");
    p.replication.to_green = pair.green().conninfo("verdigris_repl", "shop");
    if (is_grouped) p.replication.groups = {{"public.events", "public.checked"}, {"public.log"}};
    p.migrations.dir = pair.dir() / "migrations";
    p.pooler.instances = {{"a", pooler.admin(), pooler.ini()}};
    p.pooler.databases = {"shop"};
    p.fence.lock_timeout = 2000ms;
    p.cutover.verify = {InPause::changed, 10s};
    return p;
  }

  PostgresServer& server(const std::string& color) { return color == "blue" ? pair.blue() : pair.green(); }

  // A superuser's session: only the write fence is in its way.
  bool accepts_writes(const std::string& color) {
    const auto login = server(color).conninfo(kDirectAdmin.user, "shop").with("passfile", pair.dir() / "passfile");
    auto session = Connection::open_plain(login, {color, "test", false, {}}, soon());
    try {
      run(session, "BEGIN; INSERT INTO public.parent (id) VALUES (-1); ROLLBACK");
      return true;
    } catch (const ServerError&) {
      return false;
    }
  }

  bool is_grouped;  // its tables
  Pair pair{15, 17};
  PgBouncerProcess pooler;
  std::set<std::string> proven;  // names of steps
  int writes = 0;
};

// One plan at work. Opened anew for each, as a command would.
struct Scene {
  Scene(World& w, const std::string& named, const std::string& from)
      : world(w),
        command(named),
        d(w.playbook(), nullptr),
        source(d.side(from)),
        target(*d.target_of(from)),
        there(Stream::leaving(source.color(), "shop")),
        back(Stream::leaving(target.color(), "shop")) {
    d.connect(minute());
    d.take_leases(5s, minute());
    d.journal().load(minute());
    for (auto* side : {&d.blue(), &d.green()})
      install_control_schema(side->control(), "shop", side->color(), minute());
    const std::string journaled = command == "again" ? "switch" : command;
    require_allowed(d.standing(), journaled);
    d.journal().open_plan(d.plan_entry(journaled, from, minute()), from, minute());
    d.recall_facts();
  }

  Image image() {
    auto all = server_image(d.blue().control(), "blue");
    all.merge(server_image(d.green().control(), "green"));
    auto console = PgBouncerConsole::open("test", world.pooler.admin(), soon());
    all.merge(pooler_image(console, world.pooler.ini()));
    return all;
  }

  TrafficState traffic() { return d.traffic().state(soon()).at(0); }

  World& world;
  std::string command;
  Deployment d;
  Server& source;
  Server& target;
  Stream there, back;
  bool is_green_closed = true;  // not yet in the first half of prepare
};

bool has_relation(Server& on, const std::string& name) {
  return value(on.control(), "SELECT to_regclass('" + name + "') IS NOT NULL") == "t";
}
bool holds(Server& on, const std::string& claim) { return value(on.control(), "SELECT " + claim) == "t"; }
bool is_closed(Server& on) {
  return fence_state(on.control(), soon()) == FenceState::closed && is_access_closed(on.control(), "shop", soon());
}
bool are_sequences_level(Scene& s) {
  return outgrown(sequence_positions(s.source.control(), soon()), sequence_positions(s.target.control(), soon())).empty();
}

// What each step is for, seen after it.
using Witness = bool (*)(Scene&);
const std::map<std::string, Witness, std::less<>> kWitnesses = {
    {"set_replica_identity",
     [](Scene& s) {
       return holds(s.source, R"((SELECT string_agg(relreplident::text, '' ORDER BY relname) = 'fi' FROM pg_class
                                  WHERE relname IN ('log', 'unique_only')))");
     }},
    {"copy_roles", [](Scene& s) { return holds(s.target, "pg_has_role('clerk', 'app_owner', 'MEMBER')"); }},
    {"restore_schema", [](Scene& s) { return has_relation(s.target, "public.orders"); }},
    {"publish_source", [](Scene& s) { return holds(s.source, "EXISTS (SELECT FROM pg_publication)"); }},
    {"copy_tables", [](Scene& s) { return holds(s.target, "(SELECT count(*) = 40 FROM public.orders)"); }},
    {"restore_constraints", [](Scene& s) { return has_relation(s.target, "public.orders_note"); }},
    {"close_follower",
     [](Scene& s) {
       s.is_green_closed = true;
       return fence_state(s.target.control(), soon()) == FenceState::following &&
              is_access_closed(s.target.control(), "shop", soon());
     }},
    {"migrate_target", [](Scene& s) { return has_relation(s.target, "public.checked_grade"); }},
    {"subscribe_target",
     [](Scene& s) { return subscription_state(s.target.control(), s.there, soon()).is_enabled; }},
    {"analyze_target",
     [](Scene& s) {
       return holds(s.target, "EXISTS (SELECT FROM pg_statistic WHERE starelid = 'public.orders'::regclass)");
     }},
    {"catch_up",
     [](Scene& s) { return holds(s.target, "EXISTS (SELECT FROM verdigris.marker WHERE kind = 'catch_up')"); }},
    {"install_source_fence", [](Scene& s) { return tables_without_fence(s.source.control(), soon()).empty(); }},
    {"ready_reverse_path",
     [](Scene& s) {
       const auto way = subscription_state(s.source.control(), s.back, soon());
       return way.exists && !way.is_enabled && slot_state(s.target.control(), s.back, soon()).is_usable();
     }},
    {"stage_traffic", [](Scene& s) { return fs::exists(s.world.pooler.ini().string() + ".verdigris-staged"); }},
    {"warm_up", [](Scene& s) { return s.d.facts().sessions != nullptr; }},
    {"follow_parity", [](Scene& s) { return s.d.facts().rolling != nullptr && s.d.facts().rolling->look().through > Lsn{}; }},
    {"settle_parity", [](Scene& s) { return s.d.facts().rolling->is_frozen(); }},
    {"wait_for_quiet_moment",
     [](Scene& s) { return holds(s.target, "EXISTS (SELECT FROM verdigris.marker WHERE kind = 'quiet')"); }},
    {"ask_guardrails", [](Scene& s) { return tables_without_fence(s.source.control(), soon()).empty(); }},
    {"stand_ready", [](Scene& s) { return s.d.facts().apply && !s.d.facts().tables_to_lock.empty() && are_sequences_level(s); }},
    {"pause_traffic", [](Scene& s) { return s.traffic().is_paused && s.traffic().server_connections == 0; }},
    {"fence_source", [](Scene& s) { return is_closed(s.source) && !s.world.accepts_writes(s.source.color()); }},
    {"drain_to_marker",
     [](Scene& s) {
       return marker_fence_state(s.source.control(), soon()) == FenceState::closed &&
              marker_arrived(s.target.control(), Stream::leaving(s.source.color(), "shop"), s.d.facts().marker->id, soon());
     }},
    {"copy_sequences", are_sequences_level},
    {"confirm_pause", [](Scene& s) { return s.traffic().is_paused; }},
    {"prove_parity", [](Scene& s) { return s.d.facts().parity && s.d.facts().parity->is_equal(); }},
    {"fix_reverse_start", [](Scene& s) { return s.d.facts().line.has_value(); }},
    {"open_target", [](Scene& s) { return !is_closed(s.target) && s.world.accepts_writes(s.target.color()); }},
    {"move_traffic",
     [](Scene& s) { return s.traffic().target == s.d.endpoint(s.target.color()) && !s.traffic().is_paused; }},
    {"stop_forward", [](Scene& s) { return !subscription_state(s.target.control(), s.there, soon()).worker_pid.has_value(); }},
    {"start_reverse", [](Scene& s) { return subscription_state(s.source.control(), s.back, soon()).is_enabled; }},
    {"drop_stream",
     [](Scene& s) {
       return !subscription_state(s.target.control(), s.there, soon()).exists &&
              !slot_state(s.source.control(), s.there, soon()).exists;
     }},
    {"restore_replica_identity",
     [](Scene& s) { return holds(s.source, "(SELECT relreplident = 'd' FROM pg_class WHERE relname = 'log')"); }},
    {"open_for_good", [](Scene& s) { return !tables_without_fence(s.source.control(), soon()).empty(); }},
};

std::string said(const Readiness& readiness) {
  if (const auto* blocked = std::get_if<Blocked>(&readiness)) return "Blocked: " + blocked->why;
  return std::holds_alternative<Done>(readiness) ? "Done" : "Ready";
}

// The contract of one step. Each act is followed by a look whether both sides are open.
class Contract {
 public:
  Contract(Scene& scene, Step& step) : scene_(scene), step_(step), after_(step.leaves_trace() ? "Done" : "Ready") {}

  void prove(bool is_above_line) {
    const bool is_idle = is_excused(scene_.command, step_.name(), Excuse::nothing_to_do);
    const auto before = scene_.image();
    expect_check(is_idle ? after_ : "Ready");
    EXPECT_EQ(difference(before, scene_.image()), "") << "check() changed something";
    apply();
    if (is_idle) {
      EXPECT_EQ(difference(before, scene_.image()), "") << "Done, but apply() changed something";
    }
    expect_repeatable();
    const bool has_undo = is_above_line && !is_idle && !is_excused(scene_.command, step_.name(), Excuse::nothing_to_undo);
    if (has_undo) {
      expect_undoable(before);
      apply();
    }
    expect_witness();
    scene_.world.proven.emplace(step_.name());
  }

 private:
  void apply() {
    EXPECT_NE(step_.apply(minute()), "") << "nothing to tell the operator";
    expect_one_side();
    expect_check(after_);
  }

  void expect_repeatable() {
    const auto once = scene_.image();
    apply();
    EXPECT_EQ(difference(once, scene_.image()), "") << "a second apply() changed something";
  }

  void expect_undoable(Image before) {
    undo();
    auto once = scene_.image();
    const auto whole = once;
    if (is_excused(scene_.command, step_.name(), Excuse::leaves_our_objects)) {
      for (auto* image : {&before, &once})
        std::erase_if(*image, [](const std::string& line) {
          return line.find(" verdigris.fence() ") != std::string::npos || line.find("migration_pkey") != std::string::npos ||
                 line.find(" verdigris.migration ") != std::string::npos;
        });
    }
    EXPECT_EQ(difference(before, once), "") << "undo() did not put everything back";
    expect_check("Ready");
    undo();
    EXPECT_EQ(difference(whole, scene_.image()), "") << "a second undo() changed something";
    expect_check("Ready");
  }

  void undo() {
    {
      Transaction decision(scene_.source.control(), minute());
      step_.undo_with_decision(decision);
      decision.commit();
    }
    step_.undo(minute());
    expect_one_side();
  }

  void expect_witness() {
    const auto witness = kWitnesses.find(step_.name());
    ASSERT_NE(witness, kWitnesses.end()) << "nobody says what this step is for";
    EXPECT_TRUE(witness->second(scene_)) << "what the step is for is not there";
  }

  void expect_check(const std::string& wanted) { EXPECT_EQ(said(step_.check(minute())), wanted); }

  void expect_one_side() {
    if (!scene_.is_green_closed) return;
    EXPECT_FALSE(scene_.world.accepts_writes("blue") && scene_.world.accepts_writes("green")) << "both sides are open";
  }

  Scene& scene_;
  Step& step_;
  std::string after_;
};

void walk(Scene& scene, const Plan& plan, bool can_go_back) {
  for (std::size_t i = 0; i < plan.size(); ++i) {
    SCOPED_TRACE(scene.command + ": " + std::string(plan[i].name()));
    if (plan.has_line() && i == plan.no_return())
      scene.d.journal().decide_committed({}, {{"line", scene.d.facts().line.value().text()}}, minute());
    if (plan[i].name() == "drain_to_marker") run(scene.source.control(), "SELECT nextval('public.orders_id_seq')");  // since stand_ready
    try {
      const auto begin = Deadline::Clock::now();
      Contract(scene, plan[i]).prove(can_go_back && i < plan.no_return());
      const std::chrono::duration<double> took = Deadline::Clock::now() - begin;
      std::printf("%-9s %-22s %6.2f s\n", scene.command.c_str(), std::string(plan[i].name()).c_str(), took.count());
    } catch (const Error& error) {
      FAIL() << error.id() << ": " << error.what();
    }
  }
  scene.d.journal().close_plan(Json::object(), minute());
}

// The serving side goes on; what it writes has come to the other side before the next plan is looked at.
void serve(Scene& scene, const std::string& serving) {
  {
    auto client = admin(scene.world.server(serving));
    write_varied_schema(client, ++scene.world.writes);
  }
  const auto id = write_marker(scene.d.side(serving).control(), serving, "test", minute());
  wait_for_marker(scene.d.side(other_side(serving)).control(), scene.d.streams_leaving(serving, minute()), id, minute());
}

void walk_crossing(World& world, const std::string& command, const std::string& from, Connection& client) {
  Scene scene(world, command, from);
  const std::string to = scene.target.color();
  walk(scene, cutover_plan(scene.d, scene.d.source_of(from), scene.d.target_of(from)), true);
  if (testing::Test::HasFatalFailure()) return;
  serve(scene, to);
  EXPECT_EQ(value(client, "SELECT current_setting('cluster_name')"), to);
}

std::set<std::string> steps_on_disk() {
  // A forced rollback, a move of readers (no undo but the plan back) and a green that is made have tests of their own.
  const std::set<std::string> elsewhere{"ask_gates", "begin_loading", "leave_load_profile", "drain_left", "end_long_transactions", "hold_traffic", "leave_green", "raise_sequences", "stop_reverse", "close_to_readers", "let_readers_leave", "measure_lag", "open_to_readers"};
  std::set<std::string> stems;
  for (const auto& file : fs::directory_iterator(fs::path(VERDIGRIS_SOURCE_DIR) / "controller/steps"))
    if (file.path().extension() == ".cpp" && !elsewhere.contains(file.path().stem())) stems.insert(file.path().stem());
  return stems;
}

class StepContract : public testing::TestWithParam<bool> {};  // in three groups
INSTANTIATE_TEST_SUITE_P(Groups, StepContract, testing::Bool());
TEST_P(StepContract, HoldsForEveryStepOfEveryPlanThereBackThereAndTheEnd) {
  NEED_POSTGRES(15);
  NEED_POSTGRES(17);
  World world(GetParam());
  {
    Scene scene(world, "prepare", "blue");
    scene.is_green_closed = false;
    walk(scene, prepare_plan(scene.d, true), true);
    ASSERT_FALSE(HasFatalFailure());
    serve(scene, "blue");
  }
  {
    // Its session with the pooler outlasts all crossings; it asks between them, so that no wait is bounded by the looks.
    auto client = Connection::open_plain(world.pooler.client("app", "shop"), {"client", "client", false, {}}, soon());
    EXPECT_EQ(value(client, "SELECT current_setting('cluster_name')"), "blue");
    for (const std::string command : {"switch", "rollback", "again"}) {
      walk_crossing(world, command, command == "rollback" ? "green" : "blue", client);
      ASSERT_FALSE(HasFatalFailure());
    }
  }
  Scene scene(world, "finish", "green");
  walk(scene, finish_plan(scene.d, Source(scene.source), Target(scene.target), {}), false);
  ASSERT_FALSE(HasFatalFailure());
  EXPECT_FALSE(world.accepts_writes("blue")) << "left behind, and open";
  EXPECT_EQ(world.proven, steps_on_disk()) << "a step that no plan takes, or a file that is none";
}

}  // namespace
}  // namespace verdigris::test
