#include "healthcheck/questions.hpp"

namespace verdigris::questions {
namespace {

struct Extension {
  std::string name;
  std::string version;
};

std::vector<Extension> installed(Server& server, Deadline deadline) {
  const Result answer =
      server.control().query(Sql("SELECT extname, extversion FROM pg_extension ORDER BY 1"), deadline);
  std::vector<Extension> out;
  for (const Row& row : answer.rows(2)) out.push_back({row.text(0), row.text(1)});
  return out;
}

// The version green has, or would install; nothing if it has none.
std::optional<std::string> offered(Server& server, const std::string& name, Deadline deadline) {
  const Result answer = server.control().query(
      Sql("SELECT coalesce(installed_version, default_version) FROM pg_available_extensions WHERE name = $1"), {name},
      deadline);
  const auto row = answer.at_most_one_row(1);
  if (!row) return std::nullopt;
  return row->text(0);
}

}  // namespace

Findings extensions(const CheckContext& context) {
  const std::string id = "schema.extensions";
  std::vector<std::string> missing;
  std::vector<std::string> other;
  const auto on_blue = installed(context.source, context.deadline);
  for (const auto& extension : on_blue) {
    const auto version = offered(context.target, extension.name, context.deadline);
    if (!version)
      missing.push_back(extension.name);
    else if (*version != extension.version)
      other.push_back(extension.name + " " + extension.version + " -> " + *version);
  }
  Findings findings;
  if (!missing.empty())
    findings.push_back(
        fail(id, "green does not have extension " + some_of(missing), "Install its package on green's machine."));
  if (!other.empty())
    findings.push_back(warn(id, "other versions on green: " + some_of(other), "Read their notes on upgrading."));
  if (findings.empty()) findings.push_back(pass(id, std::to_string(on_blue.size()) + " extensions, all on green"));
  return findings;
}

}  // namespace verdigris::questions
