// Chooses the traffic that a playbook names.
#pragma once

#include <memory>

#include "controller/playbook.hpp"
#include "controller/traffic.hpp"

namespace verdigris {

std::unique_ptr<Traffic> make_traffic(const PoolerSettings& settings);

}  // namespace verdigris
