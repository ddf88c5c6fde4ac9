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
  // The page that made this document, but for the state of its steps. Throws nlohmann's exceptions if none did.
  static PlanPage from_document(const Json& document);
  void say(const std::string& line) { lines_.push_back(line); }
  // What the plan was made for: the playbook, the servers. Another one of them is another plan.
  void rest_on(const std::string& name, const std::string& text);
  // Around the steps: what is sent "before" the first and "after" the last, and how all of it is recorded ("records").
  void add_around(const std::string& key, const PlannedActs& statements);
  void add_step(const PlannedStep& step);

  const std::vector<std::string>& lines() const { return lines_; }
  const std::string& command() const { return command_; }
  const Json& basis() const { return basis_; }
  const Json& steps() const { return steps_; }
  const Json& around() const { return around_; }
  bool is_anything_to_do() const { return is_anything_to_do_; }
  std::string digest() const;

 private:
  Json add(const PlannedActs& statements);
  std::string command_;
  std::vector<std::string> lines_;
  Json steps_ = Json::array(), around_ = Json::object(), basis_ = Json::object();
  Json digested_ = Json::array();
  bool is_anything_to_do_ = false;
};

// The lines of a page that its digest is over: no state of a step, nothing about how the page came to be.
std::vector<std::string> without_state(const std::vector<std::string>& lines);

// SQL as it stands in the source, moved to the left.
std::vector<std::string> dedented(const std::string& text);

}  // namespace verdigris
