#include "healthcheck/questions.hpp"
#include "replication/fence.hpp"

namespace verdigris::questions {

// COMMIT PREPARED passes triggers and read-only mode: a writer that no fence sees.
Findings prepared_transactions(const CheckContext& context) {
  std::vector<std::string> names;
  for (const auto& one : verdigris::prepared_transactions(context.source.control(), context.deadline)) names.push_back(one.describe());
  if (names.empty()) return {pass("fence.prepared", "no prepared transaction on " + context.source.color())};
  return {fail("fence.prepared", context.source.color() + ": prepared transactions are open: " + some_of(names),
               "Commit or roll them back: COMMIT PREPARED or ROLLBACK PREPARED in that database.")};
}

}  // namespace verdigris::questions
