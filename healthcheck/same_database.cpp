#include "healthcheck/questions.hpp"
#include "replication/identity.hpp"

namespace verdigris::questions {
namespace {

struct Place {
  std::string system_identifier;
  std::string database;  // oid
};

Place place_of(Server& server, Deadline deadline) {
  const Result answer = server.control().query(Sql(R"(
    SELECT system_identifier::text, (SELECT oid::text FROM pg_database WHERE datname = current_database())
    FROM pg_control_system())"),
                                               deadline);
  const Row row = answer.one_row(2);
  return {row.text(0), row.text(1)};
}

// A copy of blue's files that went its own way since: promoted, and with a token of its own.
bool is_copy_of_its_own(const CheckContext& context) {
  const auto& deployment = context.settings.deployment;
  const auto blue = server_identity(context.source.control(), deployment, context.deadline);
  const auto green = server_identity(context.target.control(), deployment, context.deadline);
  return blue.timeline != green.timeline && !green.token.empty() && blue.token != green.token;
}

}  // namespace

// Addresses prove nothing: two names, a socket and a port may lead to one server.
Findings same_database(const CheckContext& context) {
  const Place blue = place_of(context.source, context.deadline);
  const Place green = place_of(context.target, context.deadline);
  if (blue.system_identifier != green.system_identifier)
    return {pass("target.same", "system identifiers " + blue.system_identifier + " and " + green.system_identifier)};
  if (context.settings.is_target_copy && is_copy_of_its_own(context))
    return {pass("target.same", "green is a copy of blue's files on a timeline of its own, system identifier " + green.system_identifier)};
  if (blue.database == green.database)
    return {fail("target.same",
                 "blue (" + context.source.endpoint() + ") and green (" + context.target.endpoint() +
                     ") are the same database, system identifier " + blue.system_identifier,
                 "Name the new server under clusters.green.")};
  return {fail("target.same",
               "blue and green are one server, or physical copies of one: system identifier " + blue.system_identifier,
               "Use a green that was made by initdb.")};
}

}  // namespace verdigris::questions
