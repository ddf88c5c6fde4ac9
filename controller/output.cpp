#include "controller/output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <ostream>

#include "controller/exit_codes.hpp"
#include "controller/printable.hpp"

namespace verdigris {

namespace {

std::string clock_text(std::chrono::system_clock::time_point when) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(when);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(when - whole).count();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(whole);
  std::tm local{};
  localtime_r(&seconds, &local);
  return fmt::format("{:02}:{:02}:{:02}.{:03}", local.tm_hour, local.tm_min, local.tm_sec, millis);
}

std::string schema_of(std::string command) {
  for (char& c : command)
    if (c == ' ') c = '_';
  return "verdigris." + (command.empty() ? "usage" : command) + "/1";
}

void put(std::ostream& stream, std::string_view text) {
  stream << text << std::flush;
  stream.clear();
}

std::string hint_line(std::string_view hint) {
  return hint.empty() ? std::string{} : fmt::format("HINT:  {}\n", printable(hint));
}

nlohmann::ordered_json error_body(const std::string& id, const std::string& message, const std::string& hint) {
  nlohmann::ordered_json body{{"id", id}, {"message", message}};
  if (!hint.empty()) body["hint"] = hint;
  return body;
}

}  // namespace

bool is_color_wanted(bool is_no_color_given, int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  if (is_no_color_given || (no_color != nullptr && *no_color != '\0')) return false;
  return terminal != nullptr && std::string_view(terminal) != "dumb" && isatty(fd) == 1;
}

Output::Output(std::ostream& results, std::ostream& messages, OutputStyle style, std::string command, WallClock now)
    : results_(results),
      messages_(messages),
      style_(style),
      schema_(schema_of(std::move(command))),
      now_(std::move(now)) {}

void Output::result(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (!style_.json) put(results_, printable(text) + "\n");
}

void Output::document(nlohmann::ordered_json body) {
  if (!style_.json) return;
  nlohmann::ordered_json whole{{"schema", schema_}};
  whole.update(body);
  print_document(whole);
}

void Output::document_line(nlohmann::ordered_json body) {
  if (!style_.json) return;
  nlohmann::ordered_json whole{{"schema", schema_}};
  whole.update(body);
  print_document(whole, -1);
}

void Output::note(std::string_view text) {
  if (!style_.quiet) print_message(printable(text) + "\n");
}

void Output::detail(std::string_view text) {
  if (style_.verbose) print_message(printable(text) + "\n");
}

void Output::warning(std::string_view text, std::string_view hint) {
  print_message(fmt::format("{} {}\n{}", tinted("warning:", Tint::yellow), printable(text), hint_line(hint)));
}

void Output::step_line(std::string_view name, std::string_view text, std::string_view verdict,
                       std::optional<std::chrono::milliseconds> took) {
  if (style_.quiet) return;
  const bool is_good = verdict.starts_with("ok") || verdict.starts_with("done");
  const std::string colored = tinted(printable(verdict), is_good ? Tint::green : Tint::red);
  const std::string duration = took ? fmt::format(" {:>4} ms", took->count()) : std::string{};
  print_message(
      fmt::format("{} {:<24} {:<62} {}{}\n", clock_text(now_()), printable(name), printable(text), colored, duration));
}

void Output::question(std::string_view text) {
  print_message(printable(text));
}

void Output::error(const Error& error) {
  const std::string head = tinted(fmt::format("error[{}]:", error.id()), Tint::red);
  print_message(fmt::format("{} {}\n{}", head, printable(error.what()), hint_line(error.hint())));
  if (!style_.json) return;
  nlohmann::ordered_json body{{"schema", schema_},
                              {"result", outcome_of(error.failure()).word},
                              {"error", error_body(error.id(), error.what(), error.hint())}};
  body.update(with_error_);
  print_document(body);
}

void Output::with_error(nlohmann::ordered_json members) { with_error_ = std::move(members); }

void Output::error(const PlaybookErrors& errors) {
  std::string text;
  auto list = nlohmann::ordered_json::array();
  for (const PlaybookError& each : errors.errors()) {
    text += place_and_text(each);
    auto body = error_body(each.id, each.text, each.hint);
    body.update(nlohmann::ordered_json{{"file", each.file}, {"line", each.line}, {"column", each.column}});
    list.push_back(std::move(body));
  }
  print_message(text + errors.what() + "\n");
  if (!style_.json) return;
  auto body = error_body(errors.id(), errors.what(), errors.hint());
  body["errors"] = std::move(list);
  print_document({{"schema", schema_}, {"result", outcome_of(errors.failure()).word}, {"error", std::move(body)}});
}

std::string Output::place_and_text(const PlaybookError& error) const {
  std::string text = printable(error.file) + ":";
  if (error.line > 0) text += fmt::format("{}:{}:", error.line, error.column);
  text += fmt::format(" {} {}\n", tinted(fmt::format("error[{}]:", error.id), Tint::red), printable(error.text));
  if (!error.source_line.empty()) {
    text += fmt::format("{:>5} | {}\n      | ", error.line, printable(error.source_line));
    text.append(static_cast<std::size_t>(error.column - 1), ' ');
    text.append(static_cast<std::size_t>(error.width), '^');
    text += '\n';
  }
  return text + hint_line(error.hint);
}

std::string Output::tinted(std::string_view text, Tint tint) const {
  if (!style_.has_color) return std::string(text);
  const int code = tint == Tint::red ? 31 : tint == Tint::green ? 32 : 33;
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

void Output::print_message(const std::string& text) {
  const std::lock_guard lock(mutex_);
  put(messages_, text);
}

void Output::print_document(const nlohmann::ordered_json& body, int indent) {
  const std::lock_guard lock(mutex_);
  if (is_document_printed_) return;
  is_document_printed_ = true;
  // Pure ASCII: right in every locale, and no character of others can act on a terminal.
  put(results_, body.dump(indent, ' ', true, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace verdigris
