#include "controller/pgbouncer_survey.hpp"

#include <algorithm>

#include "controller/ini_lexer.hpp"
#include "controller/pgbouncer_identity.hpp"
#include "controller/pgbouncer_readiness.hpp"
#include "controller/pooler_files.hpp"

namespace verdigris {
namespace {

template <class Act>
PoolerTrouble trouble_of(Act act) {
  try {
    refuse_unusable(act);
    return {};
  } catch (const Error& error) {
    return {error.id(), error.what(), error.hint()};
  }
}

void look_into_file(AliasSurvey& alias, const IniFile& ini, const PoolerConfig& config) {
  const IniEntry& entry = ini.definition(alias.alias);
  alias.defined_at = place(entry);
  alias.is_adopted = entry.is_included;
  alias.in_file = ini.target(alias.alias);
  if (!is_same_endpoint(alias.in_file, alias.running.target, config))
    throw Refused("pooler.target", "the running process leads \"" + alias.alias + "\" to " + endpoint_text(alias.running.target) +
                                       ", its file to " + endpoint_text(alias.in_file),
                  "Correct the file and run RELOAD.");
}

void ask(AliasSurvey& alias, PgBouncerConsole& console, const PoolerConfig& config, Deadline deadline) {
  alias.running = console.database(alias.alias, deadline);
  const auto mode = config.find("pool_mode");
  alias.pool_mode = !alias.running.pool_mode.empty() || mode == config.end() ? alias.running.pool_mode : mode->second;
  const auto counts = console.pools(alias.alias, deadline);
  alias.clients = counts.clients;
  alias.waiting_clients = counts.waiting_clients;
}

void survey(PoolerSurvey& result, PoolerFiles& files, const PoolerInstance& settings, Deadline deadline) {
  auto console = PgBouncerConsole::open(settings.name, settings.admin, deadline);
  require_version(console, settings.name, deadline);
  result.version = console.version(deadline);
  const auto config = console.config(deadline);
  const auto process = identify_pooler(console, config, files.path());
  result.pid = process.pid;
  files.read_relative_to(process.cwd);
  for (auto& alias : result.aliases) alias.trouble = trouble_of([&] { ask(alias, console, config, deadline); });
  const IniFile ini = files.read();
  for (auto& alias : result.aliases)
    if (alias.trouble.id.empty()) alias.trouble = trouble_of([&] { look_into_file(alias, ini, config); });
  if (std::ranges::all_of(result.aliases, [](const auto& each) { return each.trouble.id.empty(); })) files.require_whole(ini);
}

}  // namespace

bool PoolerSurvey::is_sound() const {
  return trouble.id.empty() && std::ranges::all_of(aliases, [](const auto& each) { return each.trouble.id.empty(); });
}

PoolerSurvey survey_pooler(const PoolerInstance& settings, const std::vector<std::string>& aliases, Deadline deadline) {
  PoolerSurvey result;
  result.name = settings.name;
  result.file = settings.file;
  result.include = settings.include;
  for (const auto& alias : aliases) result.aliases.emplace_back().alias = alias;
  PoolerFiles files(settings, aliases);
  result.trouble = trouble_of([&] { survey(result, files, settings, deadline); });
  return result;
}

}  // namespace verdigris
