#include "controller/commands/pooler_show.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "controller/config.hpp"
#include "controller/exit_codes.hpp"
#include "controller/pgbouncer_survey.hpp"

namespace verdigris {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const PoolerTrouble& trouble) {
  if (trouble.id.empty()) return nullptr;
  return {{"id", trouble.id}, {"message", trouble.text}, {"hint", trouble.hint}};
}

Json to_json(const AliasSurvey& alias) {
  const bool is_running = !alias.running.alias.empty();
  const bool is_defined = !alias.defined_at.empty();
  return {{"database", alias.alias},
          {"defined_at", is_defined ? Json(alias.defined_at) : Json(nullptr)},
          {"adopted", is_defined ? Json(alias.is_adopted) : Json(nullptr)},
          {"target", is_running ? Json(text_of(alias.running.target)) : Json(nullptr)},
          {"paused", is_running ? Json(alias.running.is_paused) : Json(nullptr)},
          {"pool_mode", is_running ? Json(alias.pool_mode) : Json(nullptr)},
          {"reads", alias.is_for_reads},
          {"clients", alias.clients},
          {"waiting_clients", alias.waiting_clients},
          {"trouble", to_json(alias.trouble)}};
}

Json to_json(const PoolerSurvey& survey) {
  Json databases = Json::array();
  for (const auto& alias : survey.aliases) databases.push_back(to_json(alias));
  return {{"instance", survey.name},
          {"version", survey.version.empty() ? Json(nullptr) : Json(survey.version)},
          {"pid", survey.pid == 0 ? Json(nullptr) : Json(survey.pid)},
          {"file", survey.file.string()},
          {"include", survey.include.string()},
          {"databases", databases},
          {"trouble", to_json(survey.trouble)}};
}

void print(const PoolerTrouble& trouble, Output& output) {
  if (trouble.id.empty()) return;
  output.result("  FAIL  " + trouble.id + ": " + trouble.text);
  if (!trouble.hint.empty()) output.result("        HINT:  " + trouble.hint);
}

void print(const PoolerSurvey& survey, Output& output) {
  output.result(fmt::format("pooler {}  {}  {}  {}", survey.name, survey.version.empty() ? "unknown version" : survey.version,
                            survey.pid == 0 ? "pid unknown" : fmt::format("pid {}", survey.pid), survey.file.string()));
  for (const auto& alias : survey.aliases) {
    if (!alias.running.alias.empty())
      output.result(fmt::format("  {}{} -> {}  {}, {} pooling, {} clients, {} waiting", alias.alias, alias.is_for_reads ? " (reads)" : "",
                                text_of(alias.running.target), alias.running.is_paused ? "PAUSED" : "running", alias.pool_mode, alias.clients, alias.waiting_clients));
    if (!alias.defined_at.empty())
      output.result(fmt::format("    {} at {}", alias.is_adopted ? "adopted," : "in place,", alias.defined_at));
    print(alias.trouble, output);
  }
  print(survey.trouble, output);
}

}  // namespace

int run_pooler_show(const Invocation& invocation, Output& output) {
  const Playbook playbook = load_playbook(invocation.playbook);
  if (playbook.pooler.driver != "pgbouncer")
    throw Refused("pooler.driver", "the playbook names no PgBouncer (driver: " + playbook.pooler.driver + ")",
                  "See where clients are led: verdigris status");
  const auto deadline = Deadline::after(invocation.timeout.value_or(std::chrono::milliseconds(10'000)));
  Json poolers = Json::array();
  bool is_sound = true;
  for (const auto& instance : playbook.pooler.instances) {
    auto survey = survey_pooler(instance, playbook.pooler.all_names(), deadline);
    for (auto& alias : survey.aliases) alias.is_for_reads = std::ranges::find(playbook.pooler.reads, alias.alias) != playbook.pooler.reads.end();
    is_sound = is_sound && survey.is_sound();
    poolers.push_back(to_json(survey));
    print(survey, output);
  }
  output.document({{"result", is_sound ? "ok" : "refused"}, {"poolers", poolers}});
  return is_sound ? kDone : kRefused;
}

}  // namespace verdigris
