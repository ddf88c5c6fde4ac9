// What the program says. The result goes to stdout: text, or with --json exactly one document; everything else goes to
// stderr. All text passes printable(). Safe to call from several threads; a stream that fails (closed pipe) is ignored,
// because a run must not depend on who listens.
#pragma once

#include <chrono>
#include <functional>
#include <iosfwd>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "controller/playbook_errors.hpp"
#include "replication/errors.hpp"

namespace verdigris {

struct OutputStyle {
  bool json = false;
  bool quiet = false;    // no notes, no step lines
  bool verbose = false;  // details
  bool has_color = false;
};

// Colours only if a person looks: a terminal that understands them, and nobody said no (NO_COLOR, TERM=dumb,
// --no-color).
bool is_color_wanted(bool is_no_color_given, int fd);

class Output {
 public:
  using WallClock = std::function<std::chrono::system_clock::time_point()>;

  Output(std::ostream& results, std::ostream& messages, OutputStyle style, std::string command,
         WallClock now = std::chrono::system_clock::now);

  bool is_json() const { return style_.json; }

  // stdout. A line of the text result: nothing with --json.
  void result(std::string_view text);
  // stdout. The one document of --json: nothing without. "schema": "verdigris.<command>/1" is put first.
  void document(nlohmann::ordered_json body);
  // The same on a single line, for scripts that take the last line of a long run.
  void document_line(nlohmann::ordered_json body);

  // stderr. note: progress and remarks, not with -q. detail: only with -v. warning: always.
  void note(std::string_view text);
  void detail(std::string_view text);
  void warning(std::string_view text, std::string_view hint = {});
  // "14:02:10.020 pause      2/2 poolers, no server connection left                      ok    9 ms"; local time, not
  // with -q. The verdict's first word decides its colour: "ok" and "done" are good, all else is not.
  void step_line(std::string_view name, std::string_view text, std::string_view verdict,
                 std::optional<std::chrono::milliseconds> took = std::nullopt);
  // A question without a line end.
  void question(std::string_view text);

  // An error as PostgreSQL prints it; with --json also the document {"schema", "result", "error": {id, message, hint}},
  // unless the command has printed its own.
  void error(const Error& error);
  void error(const PlaybookErrors& errors);
  // Further members for that document, if an error comes.
  void with_error(nlohmann::ordered_json members);

 private:
  enum class Tint { red, green, yellow };
  std::string tinted(std::string_view text, Tint tint) const;
  void print_message(const std::string& text);
  void print_document(const nlohmann::ordered_json& body, int indent = 2);
  std::string place_and_text(const PlaybookError& error) const;

  std::ostream& results_;
  std::ostream& messages_;
  OutputStyle style_;
  std::string schema_;
  WallClock now_;
  std::mutex mutex_;
  bool is_document_printed_ = false;
  nlohmann::ordered_json with_error_ = nlohmann::ordered_json::object();
};

}  // namespace verdigris
