// The names of one direction of replication of a deployment: publication and slot on its origin, subscription on its
// receiver, all with one name. Deployment names are at most 40 bytes of [a-z0-9_], so these are valid slot names.
#pragma once

#include <string>

#include "replication/sql.hpp"

namespace verdigris {

struct Stream {
  std::string name;
  Identifier identifier() const { return Identifier(name); }

  static Stream forward(const std::string& deployment) { return {"verdigris_" + deployment + "_fwd"}; }  // blue -> green
  static Stream reverse(const std::string& deployment) { return {"verdigris_" + deployment + "_rev"}; }  // green -> blue
  // The stream that leads from a side, by its colour.
  static Stream leaving(const std::string& color, const std::string& deployment) {
    return color == "blue" ? forward(deployment) : reverse(deployment);
  }
};

}  // namespace verdigris
