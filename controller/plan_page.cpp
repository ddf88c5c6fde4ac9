#include "controller/plan_page.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <map>

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

const std::map<std::string, std::string>& titles() {
  static const std::map<std::string, std::string> kTitles = {
      {"before", "before the first step"}, {"records", "how it is recorded, and decided"}, {"after", "behind the last step"}};
  return kTitles;
}

bool is_blank_line(const std::string& line) { return line.find_first_not_of(' ') == std::string::npos; }

}  // namespace

std::vector<std::string> dedented(const std::string& text) {
  auto lines = lines_of(text);
  std::erase_if(lines, is_blank_line);
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
      if (is_blank_line(line)) continue;
      lines_.push_back(fmt::format("       {:<10} {}", on, line));
      on.clear();
    }
    Json item{{"on", one.on}, {one.is_diff ? "diff" : one.is_program ? "run" : "sql", one.text}};
    if (!one.each.empty()) item["each"] = one.each;
    if (!one.each.empty()) lines_.push_back(fmt::format("       {:<10}   <table> = {}", "", fmt::join(one.each, ", ")));
    if (!one.parameters.empty()) item["parameters"] = one.parameters;
    for (std::size_t i = 0; i < one.parameters.size(); ++i)
      lines_.push_back(fmt::format("       {:<10}   ${} = {}", "", i + 1, one.parameters[i]));
    list.push_back(item);
  }
  return list;
}

void PlanPage::rest_on(const std::string& name, const std::string& text) {
  lines_.push_back(fmt::format("     rests on {}: {}", name, text));
  basis_[name] = text;
  digested_.push_back({name, text});
}

void PlanPage::add_around(const std::string& key, const PlannedActs& statements) {
  if (statements.empty()) return;
  lines_.push_back("     " + titles().at(key));
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

namespace {

PlannedActs acts_in(const Json& list) {
  PlannedActs acts;
  for (const auto& item : list) {
    const bool is_diff = item.contains("diff"), is_program = item.contains("run");
    const std::vector<std::string> none;
    acts.push_back({item.at("on"), item.at(is_diff ? "diff" : is_program ? "run" : "sql"), item.value("parameters", none), is_diff,
                    item.value("each", none), is_program});
  }
  return acts;
}

}  // namespace

PlanPage PlanPage::from_document(const Json& document) {
  PlanPage page(document.at("command").get<std::string>());
  for (const auto& [name, text] : document.at("basis").items()) page.rest_on(name, text);
  for (const char* key : {"before", "records"})
    if (document.contains(key)) page.add_around(key, acts_in(document.at(key)));
  for (const auto& step : document.at("steps"))
    page.add_step({step.at("step"), step.at("does"), step.at("state"), "", acts_in(step.at("statements"))});
  if (document.contains("after")) page.add_around("after", acts_in(document.at("after")));
  return page;
}

std::vector<std::string> without_state(const std::vector<std::string>& lines) {
  std::vector<std::string> kept;
  for (const auto& line : lines) {
    const bool is_step = line.size() > 4 && std::isdigit(static_cast<unsigned char>(line[2])) != 0 && line.substr(3, 2) == "  ";
    const bool is_said_around = !line.starts_with("     ") || line.starts_with("     -- ") || line.starts_with("         HINT:");
    if (!is_step && !is_said_around) kept.push_back(line);
    if (!is_step) continue;
    std::size_t end = std::min({line.find(" blocked: "), line.rfind(" to do"), line.rfind(" done")});
    while (end != std::string::npos && end > 0 && line[end - 1] == ' ') --end;
    kept.push_back(line.substr(0, end));
  }
  return kept;
}

std::string PlanPage::digest() const { return sha256(Json{command_, digested_}.dump()); }

}  // namespace verdigris
