#include <algorithm>

#include "healthcheck/questions.hpp"
#include "replication/stream_groups.hpp"
#include "replication/table_groups.hpp"

namespace verdigris::questions {
namespace {

TableGroups groups_as_published(const CheckContext& context, int groups) {
  const Streams streams(Stream::forward(context.settings.deployment), groups);
  Connection& blue = (context.source.color() == "blue" ? context.source : context.target).control();
  TableGroups all;
  for (const auto& stream : streams) {
    auto& group = all.emplace_back();
    for (const auto& table : published_tables(blue, stream, context.deadline).value_or(std::vector<PublishedTable>{}))
      group.push_back(table.name);
  }
  return all;
}

// What prepare would make, or has made: then nothing is decided any more.
TableGroups groups_of(const CheckContext& context) {
  const auto& deployment = context.settings.deployment;
  int there = 1;
  for (Server* server : context.both()) there = std::max(there, groups_on(server->control(), deployment, context.deadline));
  if (there > 1) return groups_as_published(context, there);
  Connection& source = context.source.control();
  if (published_tables(source, Stream::leaving(context.source.color(), deployment), context.deadline)) return {{}};
  return decide_groups(source, publishable(user_tables(source, context.deadline), context.settings.tables),
                       context.settings.groups, context.deadline);
}

}  // namespace

int streams_each_way(const CheckContext& context) {
  try {
    return static_cast<int>(groups_of(context).size());
  } catch (const Refused&) {
    return static_cast<int>(context.settings.groups.lists.size()) + 1;
  }
}

Findings table_groups(const CheckContext& context) {
  try {
    const auto groups = groups_of(context);
    if (groups.size() < 2) return {pass("repl.groups", "the tables travel in one stream")};
    if (const auto tie = parted_tie(groups, table_ties(context.source.control(), context.deadline)))
      return {fail("repl.fk-groups", context.source.color() + ": the groups part " + *tie + ": a TRUNCATE of both would stop a stream",
                   "Drop that key until the end, or run abandon and prepare: the groups are decided anew.")};
    std::string text = "the tables travel in " + std::to_string(groups.size()) + " streams";
    for (std::size_t i = 0; i < groups.size(); ++i) {
      std::vector<std::string> names;
      for (const auto& table : groups[i]) names.push_back(table.display());
      text += (i == 0 ? ": " : "; ") + (names.empty() ? "none" : some_of(names));
    }
    return {pass("repl.groups", text)};
  } catch (const Refused& error) {
    return {fail(error.id(), error.what(), error.hint())};
  }
}

}  // namespace verdigris::questions
