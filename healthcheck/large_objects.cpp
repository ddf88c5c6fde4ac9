#include "healthcheck/questions.hpp"

namespace verdigris::questions {

Findings large_objects(const CheckContext& context) {
  const Result answer =
      context.source.control().query(Sql("SELECT count(*) FROM pg_largeobject_metadata"), context.deadline);
  const std::int64_t count = answer.one_row(1).integer(0);
  if (count == 0) return {pass("data.large-objects", "no large object on " + context.source.color())};
  return {fail("data.large-objects", context.source.color() + ": " + std::to_string(count) + " large objects do not replicate",
               "Move them into bytea columns, or waive data.large-objects by name: they will be missing on " + context.target.color() + ".")};
}

}  // namespace verdigris::questions
