// A digest over everything in the catalogs that a command could change by mistake: to show that nothing was changed.
#pragma once

#include <string>

#include "replication/connection.hpp"

namespace verdigris::test {

std::string catalog_image(Connection& on);

}  // namespace verdigris::test
