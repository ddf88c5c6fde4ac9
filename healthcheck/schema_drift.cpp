#include "healthcheck/questions.hpp"
#include "replication/definitions.hpp"
#include "replication/schema.hpp"

namespace verdigris::questions {

// What was made or changed on blue since green's schema was made. The other way round green's is meant to have more.
Findings schema_drift(const CheckContext& context) {
  if (!context.is_following || context.is_preparing || context.source.color() != "blue")
    return {note("schema.diff", "the schemas are compared while green follows blue")};
  Connection& blue = context.source.control();
  Connection& green = context.target.control();
  auto missing = missing_definitions(blue, green, context.settings.tables, context.deadline);
  for (auto& name : missing_post_data(blue, green, context.settings.tables, context.deadline)) missing.push_back(name);
  if (missing.empty()) return {pass("schema.diff", "green has every index, constraint, trigger, function and type of blue")};
  return {fail("schema.diff", "green: not as on blue: " + some_of(missing),
               "Make the same change on green, or waive schema.diff by name if a migration means it so.")};
}

}  // namespace verdigris::questions
