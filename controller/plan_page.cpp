#include "controller/plan_page.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "controller/staged_file.hpp"

namespace verdigris {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n') lines.emplace_back();
    else lines.back() += c;
  }
  return lines;
}

bool is_blank(const std::string& line) { return line.find_first_not_of(' ') == std::string::npos; }

}  // namespace

std::vector<std::string> dedented(const std::string& text) {
  auto lines = lines_of(text);
  std::erase_if(lines, is_blank);
  // The first line may begin right behind the quote; the others tell how far the text is moved in.
  std::size_t margin = std::string::npos;
  for (std::size_t i = lines_of(text).front().empty() ? 0 : 1; i < lines.size(); ++i)
    margin = std::min(margin, lines[i].find_first_not_of(' '));
  for (auto& line : lines) line.erase(0, std::min(margin == std::string::npos ? 0 : margin, line.find_first_not_of(' ')));
  return lines;
}

Json PlanPage::add(const PlannedActs& statements) {
  Json list = Json::array();
  for (const auto& one : statements) {
    std::string on = one.on;
    for (const auto& line : one.is_diff ? lines_of(one.text) : dedented(one.text)) {
      if (is_blank(line)) continue;
      lines_.push_back(fmt::format("       {:<10} {}", on, line));
      on.clear();
    }
    Json item{{"on", one.on}, {one.is_diff ? "diff" : "sql", one.text}};
    if (!one.parameters.empty()) item["parameters"] = one.parameters;
    for (std::size_t i = 0; i < one.parameters.size(); ++i)
      lines_.push_back(fmt::format("       {:<10}   ${} = {}", "", i + 1, one.parameters[i]));
    list.push_back(item);
  }
  return list;
}

void PlanPage::add_around(const std::string& key, const std::string& title, const PlannedActs& statements) {
  if (statements.empty()) return;
  lines_.push_back("     " + title);
  around_[key] = add(statements);
  digested_.push_back({key, around_[key]});
}

void PlanPage::add_step(const PlannedStep& step) {
  lines_.push_back(fmt::format("{:>3}  {:<24} {:<70} {}", steps_.size() + 1, step.name, step.does, step.state));
  if (!step.hint.empty()) lines_.push_back("         HINT:  " + step.hint);
  const Json statements = add(step.statements);
  steps_.push_back({{"step", step.name}, {"does", step.does}, {"state", step.state}, {"statements", statements}});
  digested_.push_back({step.name, step.does, statements});
  is_anything_to_do_ |= step.state != "done";
}

std::string PlanPage::digest() const { return sha256(Json{command_, digested_}.dump()); }

}  // namespace verdigris
