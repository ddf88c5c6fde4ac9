#include "bench/stall.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "bench/program.hpp"
#include "bench/recipe.hpp"
#include "bench/turn.hpp"

namespace verdigris::bench {
namespace {

// An attempt that was put back is told, and made good by another one, up to so many.
constexpr int kMostPutBack = 5;

std::int64_t done(const Tally& tally) {
  return std::count_if(tally.crossings.begin(), tally.crossings.end(), [](const auto& one) { return one.is_done; });
}

// What the last one was, for whoever watches.
std::string last_words(const Tally& tally) {
  const auto& last = tally.crossings.back();
  if (!last.is_done) return fmt::format("{} {}: put back, {}", tally.contestant, tally.crossings.size(), last.account);
  return fmt::format("{} {}: {:.1f} ms", tally.contestant, tally.crossings.size(), last.pause_ms);
}

bool is_at_end(const Tally& tally, const Scenario& scenario) {
  const auto good = done(tally);
  if (scenario.has_long_writer) return static_cast<int>(tally.crossings.size()) >= scenario.cutovers;
  return good >= scenario.cutovers || static_cast<std::int64_t>(tally.crossings.size()) - good > kMostPutBack;
}

}  // namespace

Outcome run_stall(const Scenario& scenario, const std::filesystem::path& recipe, Interruption& interruption,
                  const Say& say) {
  say(scenario.dataset + ": making servers and data");
  World world(scenario.has_tls);
  Program ours(world, scenario);
  Recipe theirs(world, scenario, recipe);
  ours.prepare();
  say(scenario.dataset + ": verdigris is prepared");
  theirs.prepare();
  say(scenario.dataset + ": the recipe is prepared");
  Outcome outcome{{scenario.dataset, scenario.tables, world.majors(), 0}, {}};
  std::deque<Turns> all;
  for (Contestant* contestant : {static_cast<Contestant*>(&ours), static_cast<Contestant*>(&theirs)})
    all.emplace_back(world, *contestant, interruption);
  for (bool is_over = false; !is_over;) {
    is_over = true;
    for (auto& turns : all) {
      if (is_at_end(turns.tally(), scenario)) continue;
      is_over = false;
      if (!turns.take()) return outcome;
      say(scenario.dataset + ": " + last_words(turns.tally()));
    }
  }
  ::getloadavg(&outcome.scene.load_average, 1);
  for (const auto& turns : all) outcome.tallies.push_back(turns.tally());
  return outcome;
}

}  // namespace verdigris::bench
