#include "healthcheck/questions.hpp"

namespace verdigris::questions {

Findings bypassing_sessions(const CheckContext& context) {
  std::vector<std::string> pooler;
  for (const int pid : context.settings.pooler_backends) pooler.push_back(std::to_string(pid));
  const Result answer = context.source.control().query(Sql(R"(
      SELECT usename || ' (' || coalesce(client_addr::text, 'local') ||
             CASE WHEN application_name <> '' THEN ', ' || left(application_name, 30) ELSE '' END ||
             CASE WHEN count(*) > 1 THEN ', ' || count(*) || ' sessions' ELSE '' END || ')'
      FROM pg_stat_activity
      WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
        AND application_name !~ '^verdigris/' AND pid <> ALL ($1::int[])
      GROUP BY usename, client_addr, application_name ORDER BY 1)"),
                                                     {text_array(pooler)}, context.deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  if (names.empty()) return {pass("clients.bypass", "nobody is connected to " + context.source.color() + " past the poolers")};
  return {warn("clients.bypass", context.source.color() + ": sessions that do not come through a pooler: " + some_of(names),
               context.settings.ends_sessions
                   ? "A switch ends them (fence.bypass: terminate)."
                   : "Move them behind the pooler: a session that can write keeps a switch from going on.")};
}

}  // namespace verdigris::questions
