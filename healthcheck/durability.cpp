#include "healthcheck/questions.hpp"

namespace verdigris::questions {

// Green is about to hold the only copy of what clients were told is safe.
Findings durability(const CheckContext& context) {
  if (context.settings.is_target_loading)
    return {note("settings.fsync", "green is being loaded; its settings are looked at when prepare restarts it")};
  const Result answer = context.target.control().query(
      Sql("SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY 1"),
      context.deadline);
  std::vector<std::string> off;
  for (const Row& row : answer.rows(1)) off.push_back(row.text(0));
  if (off.empty()) return {pass("settings.fsync", "green survives a crash")};
  return {fail("settings.fsync", "green: " + some_of(off) + " is off: a crash of the machine would lose the database",
               "Turn it on and reload the server.")};
}

}  // namespace verdigris::questions
