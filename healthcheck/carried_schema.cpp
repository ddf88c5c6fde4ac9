#include "healthcheck/parity/gaps.hpp"
#include "healthcheck/parity/probe.hpp"
#include "healthcheck/questions.hpp"
#include "replication/left_out.hpp"
#include "replication/stream.hpp"

namespace verdigris::questions {

// Replication carries no DDL: a column that only the source has has no place on the target, and parity of the shared
// ones does not show it. With a fast default not even the stream stops (pitfalls A5).
Findings carried_schema(const CheckContext& context) {
  if (!context.is_following || context.is_preparing) return {note("data.columns", "compared once " + context.target.color() + " follows")};
  Connection& source = context.source.control();
  Connection& target = context.target.control();
  const auto agreement = agree(read_catalog(source, context.source.color(), context.deadline),
                               read_catalog(target, context.target.color(), context.deadline),
                               probe_hashes(source, target, context.deadline), context.settings.tables);
  const auto& deployment = context.settings.deployment;
  const auto stream = Stream::leaving(context.source.color(), deployment);
  const auto meant = left_out(source, deployment, stream, context.deadline);
  auto findings = findings_of(agreement.gaps, {context.source.color(), context.target.color(), meant.value_or(std::vector<std::string>{})});
  std::erase_if(findings, [](const Finding& one) {  // they have questions of their own
    return one.id == "data.unlogged" || one.id == "data.extension-tables";
  });
  if (findings.empty())
    findings.push_back(pass("data.columns", context.target.color() + " has a place for every table, column and sequence"));
  return findings;
}

}  // namespace verdigris::questions
