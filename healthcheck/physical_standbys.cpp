#include <algorithm>

#include "healthcheck/questions.hpp"
#include "replication/standbys.hpp"

namespace verdigris::questions {
namespace {

std::vector<std::string> names_of(const std::vector<Standby>& standbys) {
  std::vector<std::string> names;
  for (const auto& one : standbys) names.push_back(one.name);
  return names;
}

// What a standby that is away comes back to, and may be promoted without.
Findings slots_without_reader(const CheckContext& context) {
  auto slots = physical_slots_without_reader(context.source.control(), context.deadline);
  std::erase_if(slots, [&](const std::string& slot) {
    return std::ranges::find(context.settings.away_slots, slot) != context.settings.away_slots.end();
  });
  if (slots.empty()) return {};
  return {fail("fence.standby-slots",
               context.source.color() + ": nobody reads these physical slots: " + some_of(slots) +
                   "; a standby that is away could be promoted unfenced",
               "Bring it back and name it in cutover.standbys.promotable; drop a slot that nobody needs; or name the slot in "
               "cutover.standbys.away if nothing promotes who reads it.")};
}

// A standby that is promoted without the fence takes writes while the other side serves. One that the playbook names is
// waited for in the window, so it has to be there; it may be the other side's.
Findings followers(const CheckContext& context) {
  const auto& known = context.settings.promotable;
  const auto here = verdigris::physical_standbys(context.source.control(), context.deadline);
  std::vector<std::string> unknown;
  for (const auto& one : here)
    if (std::ranges::find(known, one.name) == known.end()) unknown.push_back(one.describe());
  const auto& color = context.source.color();
  if (!unknown.empty())
    return {fail("fence.standbys", color + ": physical standbys follow it and could be promoted unfenced: " + some_of(unknown),
                 "Name those that may be promoted in cutover.standbys.promotable (by application_name), and take the others out of reach of your failover software.")};
  if (known.empty()) return {pass("fence.standbys", color + " has no physical standby")};
  auto there = names_of(here);
  for (const auto& name : names_of(verdigris::physical_standbys(context.target.control(), context.deadline))) there.push_back(name);
  std::vector<std::string> shared;
  for (const auto& name : known)
    if (std::ranges::count(there, name) > 1) shared.push_back(name);
  if (!shared.empty())
    return {fail("fence.standbys", "several standbys of " + color + " and the other side have one name, so who has the fence cannot be told: " + some_of(shared),
                 "Give each its own cluster_name, or application_name in primary_conninfo.")};
  std::vector<std::string> away;
  for (const auto& name : known)
    if (std::ranges::find(there, name) == there.end()) away.push_back(name);
  if (away.empty()) return {pass("fence.standbys", color + ": the fence is waited for by " + some_of(known))};
  return {fail("fence.standbys", color + ": standbys of cutover.standbys.promotable do not follow, so they would not have the fence: " + some_of(away),
               "Bring them back, or take them out of the playbook and out of reach of your failover software.")};
}

}  // namespace

Findings physical_standbys(const CheckContext& context) {
  auto findings = followers(context);
  for (auto& one : slots_without_reader(context)) findings.push_back(std::move(one));
  return findings;
}

}  // namespace verdigris::questions
