// The names of one direction of replication of a deployment: publication and slot on its origin, subscription on its
// receiver, all with one name. Deployment names are at most 40 bytes of [a-z0-9_], so these are valid slot names.
// A direction may be several streams, each with a group of the tables and a marker table of its own: a row that came
// through two subscriptions would stop the second. Plain values, for any thread.
#pragma once

#include <string>
#include <vector>

#include "replication/sql.hpp"

namespace verdigris {

struct Stream {
  std::string name;
  int group = 1;
  Identifier identifier() const { return Identifier(name); }
  // The barrier's table that only this stream carries, on both sides.
  QualifiedName marker() const {
    return {"verdigris", group == 1 ? std::string("marker") : "marker_g" + std::to_string(group)};
  }
  // The stream of another group in this one's direction; this one is the first.
  Stream of_group(int number) const { return number == 1 ? *this : Stream{name + "_g" + std::to_string(number), number}; }

  static Stream forward(const std::string& deployment) { return {"verdigris_" + deployment + "_fwd"}; }  // blue -> green
  static Stream reverse(const std::string& deployment) { return {"verdigris_" + deployment + "_rev"}; }  // green -> blue
  // The stream that leads from a side, by its colour.
  static Stream leaving(const std::string& color, const std::string& deployment) {
    return color == "blue" ? forward(deployment) : reverse(deployment);
  }
};

// All streams of one direction, at least one. What is true of a direction must be true of each: whoever holds this type
// asks all of them.
class Streams {
 public:
  Streams(Stream first, int groups = 1) {  // NOLINT: a stream is a direction of one group
    for (int number = 1; number <= groups; ++number) all_.push_back(first.of_group(number));
  }
  // Its name is the direction's, too.
  const Stream& first() const { return all_.front(); }
  auto begin() const { return all_.begin(); }
  auto end() const { return all_.end(); }
  std::size_t size() const { return all_.size(); }
  bool is_grouped() const { return all_.size() > 1; }
  int groups() const { return static_cast<int>(all_.size()); }
  const Stream& operator[](std::size_t index) const { return all_[index]; }
  // "a", "a and a_g2", "a, a_g2 and a_g3"
  std::string names() const {
    std::string text = first().name;
    for (std::size_t i = 1; i < all_.size(); ++i) text += (i + 1 == all_.size() ? " and " : ", ") + all_[i].name;
    return text;
  }
  std::vector<std::string> name_list() const {
    std::vector<std::string> names;
    for (const auto& stream : all_) names.push_back(stream.name);
    return names;
  }

 private:
  std::vector<Stream> all_;
};

}  // namespace verdigris
