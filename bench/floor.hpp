// How fast could it be? Only what the servers must do: rows out of one and into the other in COPY's binary format, two
// tables at once, their indexes right behind them, ANALYZE. Empty tables stand ready; no snapshot that all tables share,
// no stream, no fence, nothing made durable. Nobody who copies by COPY can be much faster on this machine, so it says
// what a target of the others' times would ask for. Owned by one thread.
#pragma once

#include <memory>

#include "bench/copier.hpp"

namespace verdigris::bench {

// On the world's own green; and on a server that has the settings of the load profile, made and started before.
std::unique_ptr<Copier> floor_with_same_settings(World& world);
std::unique_ptr<Copier> floor_with_load_profile(World& world);

}  // namespace verdigris::bench
