#include "controller/cli_options.hpp"

#include <functional>

#include "controller/config_values.hpp"
#include "controller/start_time.hpp"
#include "replication/errors.hpp"

namespace verdigris {

namespace {

using std::chrono::milliseconds;

constexpr Range<milliseconds> kTimeout{milliseconds{100}, std::chrono::hours{24 * 7}};
constexpr Range<milliseconds> kMaxPause{milliseconds{100}, std::chrono::minutes{10}};

void flag(CLI::App& app, const std::string& name, bool& into, const std::string& help) {
  app.add_flag(name, into, help)->disable_flag_override()->multi_option_policy(CLI::MultiOptionPolicy::Throw);
}

// What `read` throws says which option it was.
CLI::Option* value(CLI::App& app, const std::string& name, const std::string& type, const std::string& help,
                   const std::function<void(const std::string&)>& read) {
  const auto read_it = [name, read](const std::string& text) {
    try {
      read(text);
    } catch (const Error& error) {
      throw Error(error.id(), name + ": " + error.what(), error.hint(), error.failure());
    }
  };
  return app.add_option_function<std::string>(name, read_it, help)->type_name(type);
}

CLI::Option* number(CLI::App& app, const std::string& name, int& into, Range<std::int64_t> range,
                    const std::string& help) {
  const auto read = [&into, range](const std::string& text) { into = static_cast<int>(parse_integer(text, range)); };
  return value(app, name, "N", help + " (" + std::to_string(into) + ")", read);
}

CLI::Option* choice(CLI::App& app, const std::string& name, std::string& into, const std::vector<std::string>& choices,
                    const std::string& help) {
  const auto read = [&into, choices](const std::string& text) { into = choices[parse_choice(text, choices)]; };
  return value(app, name, "WORD", help, read);
}

void duration(CLI::App& app, const std::string& name, std::optional<milliseconds>& into, Range<milliseconds> range,
              const std::string& help) {
  value(app, name, "D", help, [&into, range](const std::string& text) { into = parse_duration(text, range); });
}

CLI::Option* path(CLI::App& app, const std::string& name, std::filesystem::path& into, const std::string& help) {
  return value(app, name, "PATH", help, [&into](const std::string& text) { into = text; });
}

void paths(CLI::App& app, const std::string& name, std::vector<std::filesystem::path>& into, const std::string& help) {
  app.add_option_function<std::vector<std::string>>(
         name, [&into](const std::vector<std::string>& texts) { into.assign(texts.begin(), texts.end()); }, help)
      ->type_name("PATH")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void plan_option(CLI::App& app, Invocation& invocation) {
  value(app, "--plan", "FILE|DIGEST", "only if it is what \"verdigris plan\" said: the file it wrote, or its digest",
        [&invocation](const std::string& text) { invocation.plan = text; });
}

void pause_options(CLI::App& app, Invocation& invocation) {
  duration(app, "--max-pause", invocation.max_pause, kMaxPause, "longest pause of clients, instead of the playbook's");
  flag(app, "--dry-run", invocation.dry_run, "describe and check every step, change nothing");
}

void majors(CLI::App& app, int& blue, int& green) {
  number(app, "--blue", blue, {13, 30}, "PostgreSQL major of blue");
  number(app, "--green", green, {13, 30}, "PostgreSQL major of green");
}

void data_size(CLI::App& app, int& tables, int& megabytes) {
  number(app, "--tables", tables, {10, 10'000}, "number of tables");
  number(app, "--megabytes", megabytes, {1, 1'000'000}, "size of the data");
}

// A number with a unit of time, else of bytes.
AcceptedLoss parse_loss(const std::string& text) {
  if (text == "0") return {0, {}};
  const auto unit = text.find_first_not_of("0123456789");
  const std::string name = unit == std::string::npos ? "" : text.substr(unit);
  if (name == "ms" || name == "s" || name == "min" || name == "m" || name == "h" || name == "d")
    return {{}, std::chrono::duration_cast<std::chrono::seconds>(parse_duration(text, {milliseconds(0), std::chrono::hours(24 * 365)}))};
  return {parse_size(text, {0, std::int64_t{1} << 60}), {}};
}

constexpr Range<std::int64_t> kRate{1, 100'000};
constexpr Range<std::int64_t> kSeconds{1, 86'400};

}  // namespace

void add_global_options(CLI::App& app, Invocation& invocation) {
  const auto playbook = [&invocation](const std::string& text) { invocation.playbook = text; };
  value(app, "-f,--playbook", "FILE", "else $VERDIGRIS_PLAYBOOK, else ./verdigris.yaml", playbook);
  flag(app, "--json", invocation.json, "print the result as one JSON document");
  flag(app, "--no-color", invocation.no_color, "no colours");
  flag(app, "-q,--quiet", invocation.quiet, "print only the result and what is wrong");
  flag(app, "-v,--verbose", invocation.verbose, "print details");
  flag(app, "--yes", invocation.yes, "agree to lesser questions; turns no refusal into consent");
  const auto confirm = [&invocation](const std::string& text) { invocation.confirm = text; };
  value(app, "--confirm", "NAME", "the deployment's name, where a command asks for it", confirm);
  duration(app, "--timeout", invocation.timeout, kTimeout, "how long to wait outside of the pause, e.g. 90s");
}

void no_options(CLI::App&, Invocation&) {}

void check_options(CLI::App& app, Invocation& invocation) {
  flag(app, "--offline", invocation.offline, "only read the playbook, ask no server");
}

void plan_options(CLI::App& app, Invocation& invocation) {
  path(app, "-o,--output", invocation.plan_file, "write it to a file (with --json the document) and print its digest");
  flag(app, "--detailed-exitcode", invocation.detailed_exitcode, "exit code 10 if there is anything to do");
  choice(app, "--for", invocation.planned_command, {"prepare", "switch", "rollback", "finish", "abandon"},
         "the plan of this command, not of the next: prepare, switch, rollback, finish or abandon");
  flag(app, "--open-blue", invocation.open_blue, "with --for finish: as it does with --open-blue");
  flag(app, "--purge", invocation.purge, "with --for finish: as it does with --purge");
}

void set_options(CLI::App& app, Invocation& invocation) {
  app.add_option("setting", invocation.setting, "what, and its new value")->type_name("KEY=VALUE")->required();
}

void prepare_options(CLI::App& app, Invocation& invocation) { plan_option(app, invocation); }

void verify_options(CLI::App& app, Invocation& invocation) {
  choice(app, "--mode", invocation.mode, {"counts", "sample", "full"}, "counts, sample or full (full)");
  app.add_option("--table", invocation.tables, "only this table; repeatable")
      ->type_name("SCHEMA.TABLE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  flag(app, "--show-values", invocation.show_values, "print the values of rows that differ, which may be secret");
  flag(app, "--repair", invocation.repair, "make the rows that differ what the serving side has; asks for the name");
  flag(app, "--dry-run", invocation.dry_run, "with --repair: show what would be done, change nothing");
}

void traffic_option(CLI::App& app, Invocation& invocation) {
  choice(app, "--traffic", invocation.traffic, {"reads", "writes", "all"},
         "reads: only the readers of pooler.reads, without a pause; writes: all but those readers (all)");
}

void switch_options(CLI::App& app, Invocation& invocation) {
  plan_option(app, invocation);
  traffic_option(app, invocation);
  value(app, "--at", "TIME", "prepare all, then wait: HH:MM[:SS] here, or 2026-12-01T02:00:00+01:00",
        [&invocation](const std::string& text) { invocation.at = parse_start_time(text, std::chrono::system_clock::now()); });
  pause_options(app, invocation);
}

void rollback_options(CLI::App& app, Invocation& invocation) {
  plan_option(app, invocation);
  traffic_option(app, invocation);
  pause_options(app, invocation);
  flag(app, "--force", invocation.force, "green is lost or wrong: open blue without it");
  value(app, "--accept-loss", "SIZE|D", "with --force: what of green may be lost, e.g. 0, 16MiB or 90s",
        [&invocation](const std::string& text) { invocation.accept_loss = parse_loss(text); });
}

void finish_options(CLI::App& app, Invocation& invocation) {
  plan_option(app, invocation);
  flag(app, "--now", invocation.now, "do not wait for rollback.keep");
  flag(app, "--purge", invocation.purge, "remove the journal as well");
  choice(app, "--without", invocation.without, {"blue"}, "blue is lost for good: act on green alone, at once");
  flag(app, "--open-blue", invocation.open_blue, "open blue for writing; nothing then stops a forgotten client");
}

void abandon_options(CLI::App& app, Invocation& invocation) {
  choice(app, "--without", invocation.without, {"green"}, "green is lost for good: act on blue alone");
  flag(app, "--drop-green", invocation.drop_green, "also drop on green what was copied");
}

void recover_options(CLI::App& app, Invocation& invocation) {
  flag(app, "--dry-run", invocation.dry_run, "print what would be done, change nothing");
  choice(app, "--without", invocation.without, {"blue", "green"},
         "the side that clients came from is lost for good: behind the line, go on without a way back");
  flag(app, "--source-not-restored", invocation.source_not_restored,
       "vouch that the source was restarted, not restored from a backup");
  flag(app, "--take-over", invocation.take_over,
       "end the sessions of another controller that holds the lease: it was stopped, or its host does not move");
}

void pooler_adopt_options(CLI::App& app, Invocation& invocation) {
  flag(app, "--dry-run", invocation.dry_run, "show the changes of the files, change nothing");
  flag(app, "--include-only", invocation.include_only,
       "write only the included file, and say what the template of the main file must say");
}

void sandbox_up_options(CLI::App& app, Invocation& invocation) {
  SandboxUpOptions& options = invocation.sandbox_up;
  majors(app, options.blue, options.green);
  path(app, "--dir", options.dir, "directory of the sandbox");
  value(app, "--user", "NAME", "system user of the servers, if root starts them (nobody)",
        [&options](const std::string& text) { options.user = text; });
  paths(app, "--bindir", options.bindirs, "where to look for servers first; repeatable");
  path(app, "--pgbouncer", options.pgbouncer, "another PgBouncer than that of this machine");
  data_size(app, options.tables, options.megabytes);
  flag(app, "--schema-present", options.schema_present, "green has the schema already, without rows");
}

void sandbox_load_options(CLI::App& app, Invocation& invocation) {
  SandboxLoadOptions& options = invocation.sandbox_load;
  path(app, "--dir", options.dir, "directory of the sandbox")->required();
  path(app, "--ledger", options.ledger, "file that gets each acknowledged write");
  path(app, "--waits", options.waits, "file that gets the wait of each pooled write, in ms");
  flag(app, "--only-pooled", options.only_pooled, "no clients beside the pooler");
  number(app, "--rate", options.rate, kRate, "transactions per second");
  number(app, "--seconds", options.seconds, kSeconds, "how long");
  number(app, "--clients", options.clients, {1, 1000}, "number of clients");
  number(app, "--slow-percent", options.slow_percent, {0, 100}, "share of pooled transactions that take 200 ms");
  number(app, "--direct-rest", options.direct_rest_ms, {10, 10'000}, "ms between two sessions of a direct client");
  number(app, "--first-writer", options.first_writer, {1, 99}, "number of the first client in the ledger");
}

void sandbox_down_options(CLI::App& app, Invocation& invocation) {
  path(app, "--dir", invocation.sandbox_down.dir, "directory of the sandbox")->required();
}

void sandbox_ledger_options(CLI::App& app, Invocation& invocation) {
  path(app, "--dir", invocation.sandbox_ledger.dir, "directory of the sandbox")->required();
  path(app, "--ledger", invocation.sandbox_ledger.ledger, "file that a load wrote")->required();
  choice(app, "--side", invocation.sandbox_ledger.side, {"blue", "green"}, "where writes are to be found (blue)");
}

void sandbox_demo_options(CLI::App& app, Invocation& invocation) {
  SandboxDemoOptions& options = invocation.sandbox_demo;
  majors(app, options.blue, options.green);
  data_size(app, options.tables, options.megabytes);
  number(app, "--rate", options.rate, kRate, "transactions per second");
  number(app, "--seconds", options.seconds, kSeconds, "load before each switch");
  choice(app, "--fault", options.fault, {"controller", "source", "target", "pooler"},
         "what fails in the midst of the switch: controller, source, target or pooler");
  value(app, "--user", "NAME", "system user of the servers, if root starts them (nobody)",
        [&options](const std::string& text) { options.user = text; });
  paths(app, "--bindir", options.bindirs, "where to look for servers first; repeatable");
  flag(app, "--keep", options.keep, "leave the sandbox running");
}

}  // namespace verdigris
