#include "tests/support/crossing.hpp"

#include <fstream>

#include "controller/sandbox/sandbox_files.hpp"
#include "replication/control_schema.hpp"

namespace verdigris::test {
namespace {

using namespace std::chrono_literals;

PairOptions small_options() {
  // Up to 15 the launcher starts a worker only every so often: 5 s by default.
  return {.fsync = Fsync::off,
          .settings = {
              {"wal_retrieve_retry_interval", "100ms"}, {"max_prepared_transactions", "4"}, {"autovacuum", "off"}}};
}

void begin_plan(Deployment& d, const std::string& command, const std::string& source) {
  d.connect(soon());
  d.take_leases(5s, soon());
  d.journal().load(soon());
  for (auto* side : {&d.blue(), &d.green()}) install_control_schema(side->control(), "shop", side->color(), soon());
  d.journal().open_plan(d.plan_entry(command, source, soon()), source, soon());
  d.recall_facts();
}

void carry_out(Step& step) {
  const auto readiness = step.check(soon());
  if (const auto* blocked = std::get_if<Blocked>(&readiness))
    throw Refused("step." + std::string(step.name()), blocked->why);
  if (std::holds_alternative<Ready>(readiness)) step.apply(soon());
}

// Of a busy machine they would be a matter of luck, and what they look at is no part of what is tried here.
bool is_left_out(const Step& step) {
  return step.name() == "wait_for_quiet_moment" || step.name() == "ask_guardrails";
}

}  // namespace

SmallShop::SmallShop(std::vector<std::vector<std::string>> groups)
    : groups_(std::move(groups)), pair_(15, 17, small_options()) {
  prepare();
}

void SmallShop::begin_anew() {
  pair_.fresh_databases();
  prepare();
}

void SmallShop::prepare() {
  ask("blue", R"(
    CREATE TABLE public.orders (id bigserial PRIMARY KEY, note text);
    CREATE TABLE public.log (line text);
    INSERT INTO public.orders (note) SELECT 'n' FROM generate_series(1, 20);
    INSERT INTO public.log VALUES ('first');
    SELECT '')");
  Deployment d(playbook(), nullptr);
  begin_plan(d, "prepare", "blue");
  const Plan plan = prepare_plan(d);
  for (std::size_t i = 0; i < plan.size(); ++i) carry_out(plan[i]);
  d.journal().close_plan(Json::object(), soon());
}

Playbook SmallShop::playbook() {
  Playbook p;
  p.name = "shop";
  p.blue = pair_.blue().conninfo("verdigris", "shop");
  p.green = pair_.green().conninfo("verdigris", "shop");
  p.replication.to_blue = pair_.blue().conninfo("verdigris_repl", "shop");
  p.replication.to_green = pair_.green().conninfo("verdigris_repl", "shop");
  p.replication.groups = groups_;
  p.pooler.driver = "none";
  p.fence.lock_timeout = 500ms;
  p.cutover.verify = verify;
  return p;
}

std::filesystem::path SmallShop::playbook_file() {
  const auto file = pair_.dir() / "playbook.yaml";
  const auto conninfo = [&](const std::string& color, const std::string& user) {
    return "\"host=" + server(color).dir().string() + " port=" + std::to_string(server(color).port()) +
           " dbname=shop user=" + user + "\"";
  };
  std::ofstream(file) << "apiVersion: verdigris/v1\nkind: Cutover\nname: shop\nclusters:\n"
                      << "  blue: { conninfo: " << conninfo("blue", "verdigris") << " }\n"
                      << "  green: { conninfo: " << conninfo("green", "verdigris") << " }\n"
                      << "replication:\n  conninfo:\n"
                      << "    to_blue: " << conninfo("blue", "verdigris_repl") << "\n"
                      << "    to_green: " << conninfo("green", "verdigris_repl") << "\n"
                      << "pooler: { driver: none }\n";
  std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  return file;
}

Connection SmallShop::session(const std::string& color, const std::string& dbname) {
  const auto conninfo = server(color).conninfo("verdigris", dbname);
  return Connection::open(conninfo, {color, "verdigris/shop/test", false, {}}, soon());
}

std::string SmallShop::ask(const std::string& color, const std::string& sql) {
  auto on = session(color);
  return value(on, sql);
}

bool SmallShop::accepts_writes(const std::string& color) {
  auto on = Connection::open_plain(server(color).conninfo("postgres", "shop"), {color, "test", false, {}}, soon());
  try {
    run(on, "BEGIN; INSERT INTO public.log VALUES (''); ROLLBACK");
    return true;
  } catch (const ServerError&) {
    return false;
  }
}

std::string SmallShop::rows(const std::string& color) {
  return ask(color, R"(SELECT (SELECT string_agg(id || note, ' ' ORDER BY id) FROM public.orders) || ' | ' ||
                              (SELECT string_agg(line, ' ' ORDER BY line) FROM public.log))");
}

Crossing::Crossing(SmallShop& shop) : d_(shop.playbook(), nullptr) {
  begin_plan(d_, "switch", "blue");
  plan_.emplace(cutover_plan(d_, d_.source_of("blue"), d_.target_of("blue")));
}

Step& Crossing::step(const std::string& name) {
  for (std::size_t i = 0; i < plan_->size(); ++i)
    if ((*plan_)[i].name() == name) return (*plan_)[i];
  throw Error("test", "no step " + name);
}

void Crossing::decide() {
  d_.journal().decide_committed({}, {{"line", d_.facts().line.value().text()}}, soon());
}

void Crossing::go_through(const std::string& name) {
  while (next_ < plan_->size()) {
    if (next_ == plan_->no_return()) decide();
    Step& now = (*plan_)[next_++];
    if (!is_left_out(now)) carry_out(now);
    if (now.name() == name) return;
  }
  d_.journal().close_plan(Json::object(), soon());
}

void Crossing::undo() {
  d_.reopen(soon());
  d_.journal().decide_undone(
      {}, Json::object(),
      [&](Transaction& decision) {
        for (std::size_t i = plan_->no_return(); i-- > 0;) (*plan_)[i].undo_with_decision(decision);
      },
      soon());
  for (std::size_t i = plan_->no_return(); i-- > 0;) (*plan_)[i].undo(soon());
  d_.journal().close_plan(Json::object(), soon());
}

}  // namespace verdigris::test
