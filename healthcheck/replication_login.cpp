#include "healthcheck/questions.hpp"

namespace verdigris::questions {
namespace {

bool is_local(const Conninfo& conninfo) {
  const std::string host = conninfo.value("host");
  return host.empty() || host.starts_with('/') || host == "localhost" || host.starts_with("127.") || host == "::1";
}

bool is_about_the_password(const CannotConnect& error) {
  return error.sqlstate() == "28P01" ||
         std::string_view(error.what()).find("password supplied") != std::string_view::npos;
}

Finding role_lacks_replication(const Server& server, const std::string& user) {
  return fail("roles.connect", server.color() + ": role \"" + user + "\" of replication.conninfo may not replicate",
              "ALTER ROLE ... LOGIN REPLICATION.");
}

std::optional<Finding> missing_attribute(Server& server, const std::string& user, Deadline deadline) {
  const Result answer = server.control().query(
      Sql("SELECT rolcanlogin AND (rolreplication OR rolsuper) FROM pg_roles WHERE rolname = $1"), {user}, deadline);
  const auto row = answer.at_most_one_row(1);
  if (!row)
    return fail("roles.connect", server.color() + ": role \"" + user + "\" of replication.conninfo does not exist",
                "CREATE ROLE ... LOGIN REPLICATION.");
  if (!row->boolean(0)) return role_lacks_replication(server, user);
  return std::nullopt;
}

// What the other server will do; only from the same machine does a refused password mean the same there.
Finding try_login(const Server& server, const Conninfo& conninfo, Deadline deadline) {
  const std::string where = server.color() + ": " + conninfo.value("user") + "@" + conninfo.value("host");
  if (!is_local(conninfo))
    return note("roles.connect", where + " is reached by the other server, not from here; it was not tried");
  try {
    const SessionOptions options{server.color(), "verdigris/" + server.deployment() + "/login", true, {}};
    // As a walsender: behind a closed connection fence only these get in.
    Connection::open_plain(conninfo.with("replication", "database"), options,
                           deadline.or_earlier(Deadline::after(std::chrono::seconds(5))));
    return pass("roles.connect", where + " logs in");
  } catch (const CannotConnect& error) {
    if (is_about_the_password(error)) return fail("roles.connect", error.what(), error.hint());
    return warn("roles.connect", std::string(error.what()) + " (tried from here, for the other server)",
                "Check replication.conninfo if both servers are on this machine.");
  }
}

void add(Server& server, const std::optional<Conninfo>& conninfo, const CheckContext& context, Findings& findings) {
  if (!conninfo) return;
  const std::string user = conninfo->value("user");
  if (!user.empty())
    if (auto missing = missing_attribute(server, user, context.deadline)) {
      findings.push_back(*missing);
      return;
    }
  if (context.settings.is_target_loading && &server == &context.target) {
    findings.push_back(note("roles.connect", server.color() + ": nobody but verdigris may log in until it is loaded"));
    return;
  }
  findings.push_back(try_login(server, *conninfo, context.deadline));
}

}  // namespace

Findings replication_login(const CheckContext& context) {
  Findings findings;
  add(context.source, context.settings.to_blue, context, findings);
  if (context.settings.needs_reverse) add(context.target, context.settings.to_green, context, findings);
  return findings;
}

}  // namespace verdigris::questions
