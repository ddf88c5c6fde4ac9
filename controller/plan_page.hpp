// What `plan` shows: lines for people, the same as JSON, and a digest over what would be done. The digest leaves out the
// state of each step, which moves while clients write; it is the same as long as the same would be done.
#pragma once

#include <string>
#include <vector>

#include "controller/journal.hpp"
#include "controller/planned_act.hpp"

namespace verdigris {

struct PlannedStep {
  std::string name, does;
  std::string state;  // "to do", "done", "blocked: ..."
  std::string hint;
  PlannedActs statements;
};

class PlanPage {
 public:
  explicit PlanPage(std::string command) : command_(std::move(command)) {}
  void say(const std::string& line) { lines_.push_back(line); }
  // Around the steps: what is sent before the first, and how all of it is recorded.
  void add_around(const std::string& key, const std::string& title, const PlannedActs& statements);
  void add_step(const PlannedStep& step);

  const std::vector<std::string>& lines() const { return lines_; }
  const Json& steps() const { return steps_; }
  const Json& around() const { return around_; }
  bool is_anything_to_do() const { return is_anything_to_do_; }
  std::string digest() const;

 private:
  Json add(const PlannedActs& statements);
  std::string command_;
  std::vector<std::string> lines_;
  Json steps_ = Json::array(), around_ = Json::object();
  Json digested_ = Json::array();
  bool is_anything_to_do_ = false;
};

// SQL as it stands in the source, moved to the left.
std::vector<std::string> dedented(const std::string& text);

}  // namespace verdigris
