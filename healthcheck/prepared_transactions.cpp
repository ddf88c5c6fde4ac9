#include "healthcheck/questions.hpp"

namespace verdigris::questions {

// COMMIT PREPARED passes triggers and read-only mode: a writer that no fence sees.
Findings prepared_transactions(const CheckContext& context) {
  const Result answer = context.source.control().query(Sql("SELECT gid || ' (' || owner || ')' FROM pg_prepared_xacts "
                                                         "WHERE database = current_database() ORDER BY prepared"),
                                                     context.deadline);
  std::vector<std::string> names;
  for (const Row& row : answer.rows(1)) names.push_back(row.text(0));
  if (names.empty()) return {pass("fence.prepared", "no prepared transaction on " + context.source.color())};
  return {
      fail("fence.prepared", context.source.color() + ": prepared transactions are open: " + some_of(names), "Commit or roll them back.")};
}

}  // namespace verdigris::questions
