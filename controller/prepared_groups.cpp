#include "controller/prepared_groups.hpp"

#include <thread>

#include "replication/copy/plan.hpp"

namespace verdigris {
namespace {

// Of the smaller host, if both servers are on this machine; nothing can be asked of another's.
int known_cores(Deployment& d) {
  const bool are_here = is_on_this_machine(d.blue()) && is_on_this_machine(d.green());
  return are_here ? static_cast<int>(std::thread::hardware_concurrency()) : 0;
}

}  // namespace

GroupsWanted wanted_groups(Deployment& d) {
  const auto& replication = d.playbook().replication;
  // The one slot of a physical green is made with the copy of the files; and readers on a follower see whole transactions
  // only where one stream brings them.
  const bool is_auto = !replication.is_one_group && d.playbook().pooler.reads.empty();
  if (d.playbook().provision.is_physical() || (replication.groups.empty() && !is_auto)) return {};
  return {replication.groups, groups_for_cores(known_cores(d))};
}

int groups_to_prepare(Deployment& d, Deadline deadline) {
  auto& blue = d.blue().control();
  const auto wanted = wanted_groups(d);
  const bool is_decided = published_tables(blue, Stream::forward(d.name()), deadline).has_value();
  if (is_decided || (wanted.lists.empty() && wanted.most < 2)) return d.groups(deadline);
  const TableSelection filter{d.playbook().replication.include, d.playbook().replication.exclude};
  return static_cast<int>(decide_groups(blue, publishable(user_tables(blue, deadline), filter), wanted, deadline).size());
}

}  // namespace verdigris
