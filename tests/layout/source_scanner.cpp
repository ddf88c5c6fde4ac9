#include "tests/layout/source_scanner.hpp"

#include <algorithm>
#include <cctype>
#include <regex>

namespace verdigris::layout {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}
bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

// Replaces what is no code by spaces, one construct at a time; newlines stay, so that line numbers do.
class Blanker {
 public:
  explicit Blanker(std::string_view source) : text_(source) {}

  std::string run() {
    while (at_ < text_.size()) step();
    return std::move(text_);
  }

 private:
  bool sees(std::string_view word) const { return text_.compare(at_, word.size(), word) == 0; }

  void step() {
    if (sees("//") || (text_[at_] == '#' && is_first_on_line())) {
      blank_to(line_end());
    } else if (sees("/*")) {
      blank_to(after(text_.find("*/", at_ + 2), 2));
    } else if (text_[at_] == '"') {
      is_raw() ? raw_string() : literal('"');
    } else if (text_[at_] == '\'' && !is_digit_separator()) {
      literal('\'');
    } else {
      ++at_;
    }
  }

  // A line that ends in a backslash goes on.
  std::size_t line_end() const {
    std::size_t end = text_.find('\n', at_);
    while (end != std::string::npos && end > 0 && text_[end - 1] == '\\') end = text_.find('\n', end + 1);
    return std::min(end, text_.size());
  }

  std::size_t after(std::size_t found, std::size_t length) const {
    return found == std::string::npos ? text_.size() : found + length;
  }

  void blank_to(std::size_t end) {
    for (; at_ < end; ++at_) {
      if (text_[at_] != '\n') text_[at_] = ' ';
    }
  }

  bool is_first_on_line() const {
    std::size_t i = at_;
    while (i > 0 && text_[i - 1] != '\n') {
      if (!is_space(text_[--i])) return false;
    }
    return true;
  }

  // 1'000: the word before the quote begins with a digit; u8'a' and L'a' do not.
  bool is_digit_separator() const {
    std::size_t i = at_;
    while (i > 0 && (is_word(text_[i - 1]) || text_[i - 1] == '\'')) --i;
    return i < at_ && std::isdigit(static_cast<unsigned char>(text_[i])) != 0;
  }

  bool is_raw() const { return at_ > 0 && text_[at_ - 1] == 'R'; }

  void raw_string() {
    const std::size_t open = text_.find('(', at_);
    if (open == std::string::npos) return blank_to(text_.size());
    const std::string close = ")" + text_.substr(at_ + 1, open - at_ - 1) + "\"";
    blank_inside(after(text_.find(close, open), close.size()));
  }

  void literal(char quote) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') end += text_[end] == '\\' ? 2U : 1U;
    blank_inside(std::min(end + 1, text_.size()));
  }

  // Keeps the quotes: "extern "C" {" and "= "x"" still read as what they are.
  void blank_inside(std::size_t end) {
    ++at_;
    blank_to(std::max(at_, end - 1));
    at_ = end;
  }

  std::string text_;
  std::size_t at_ = 0;
};

std::string collapsed(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (!is_space(c)) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string without_template_head(std::string head) {
  while (head.starts_with("template")) {
    std::size_t i = head.find('<');
    if (i == std::string::npos) break;
    int depth = 0;
    do {
      if (head[i] == '<') ++depth;
      if (head[i] == '>') --depth;
      ++i;
    } while (i < head.size() && depth > 0);
    head = collapsed(head.substr(i));
  }
  return head;
}

// What a head says outside of parentheses.
struct Outline {
  bool has_arguments = false;
  bool has_assignment = false;
  bool has_initializers = false;  // a single colon after the arguments
};

Outline outline_of(std::string_view head) {
  Outline out;
  int depth = 0;
  for (std::size_t i = 0; i < head.size(); ++i) {
    const char c = head[i];
    if (c == '(') ++depth;
    if (c == ')' && --depth == 0) out.has_arguments = true;
    if (depth != 0) continue;
    if (c == '=') out.has_assignment = true;
    const bool is_double = (i + 1 < head.size() && head[i + 1] == ':') || (i > 0 && head[i - 1] == ':');
    if (c == ':' && !is_double && out.has_arguments) out.has_initializers = true;
  }
  return out;
}

enum class Brace { kScope, kFunction, kInitializer, kValue };

// What a brace opens, judged by the text before it; is_nested says that this text is within parentheses.
Brace kind_of(std::string_view raw_head, bool is_nested) {
  static const std::regex scope{R"(^(inline )?(namespace|class|struct|union|enum|extern "\s*")(\b|\s|$))"};
  if (is_nested) return Brace::kInitializer;
  const std::string head = without_template_head(collapsed(raw_head));
  if (std::regex_search(head, scope) && head.find('=') == std::string::npos) return Brace::kScope;
  const Outline outline = outline_of(head);
  const bool is_operator = head.find("operator") != std::string::npos;
  if (!outline.has_arguments || (outline.has_assignment && !is_operator)) return Brace::kValue;
  const char last = head.back();
  if (outline.has_initializers && (is_word(last) || last == '>')) return Brace::kInitializer;
  return Brace::kFunction;
}

// Follows the braces of blanked text and collects the functions.
class BraceWalker {
 public:
  explicit BraceWalker(std::string text) : text_(std::move(text)) {}

  std::vector<Function> run() {
    for (at_ = 0; at_ < text_.size(); ++at_) step(text_[at_]);
    return std::move(found_);
  }

 private:
  struct Open {
    Brace kind;
    int parens;
  };

  bool is_inside(Brace kind) const { return !open_.empty() && open_.back().kind == kind; }

  void step(char c) {
    if (c == '\n') ++line_;
    if (c == '{') return open();
    if (c == '}') return close();
    if (is_inside(Brace::kFunction)) return;
    if (c == '(') ++parens_;
    if (c == ')') --parens_;
    if (c == ';' && parens_ == 0) return begin_head();
    if (head_line_ == 0 && !is_space(c)) head_line_ = line_;
    if (c == ':') skip_access_specifier();
  }

  void open() {
    const bool is_body = is_inside(Brace::kFunction);
    const Brace kind = is_body ? Brace::kFunction : kind_of(head(), parens_ > 0);
    if (kind == Brace::kFunction && !is_body) found_.push_back({collapsed(head()), head_line_, 0});
    open_.push_back({kind, parens_});
    if (kind == Brace::kScope) begin_head();
  }

  void close() {
    if (open_.empty()) return;
    const Open closed = open_.back();
    open_.pop_back();
    parens_ = closed.parens;
    if (closed.kind == Brace::kScope) begin_head();
    if (closed.kind != Brace::kFunction || is_inside(Brace::kFunction)) return;
    found_.back().lines = line_ - found_.back().line + 1;
    begin_head();
  }

  void begin_head() {
    head_ = at_ + 1;
    head_line_ = 0;
  }

  void skip_access_specifier() {
    const std::string now = collapsed(std::string_view{text_}.substr(head_, at_ - head_));
    if (now == "public" || now == "private" || now == "protected") begin_head();
  }

  std::string_view head() const { return std::string_view{text_}.substr(head_, at_ - head_); }

  std::string text_;
  std::vector<Function> found_;
  std::vector<Open> open_;
  std::size_t at_ = 0;
  std::size_t head_ = 0;
  int head_line_ = 0;
  int line_ = 1;
  int parens_ = 0;
};

std::vector<std::string> lines_of(std::string_view source) {
  std::vector<std::string> lines;
  while (!source.empty()) {
    const std::size_t end = std::min(source.find('\n'), source.size());
    lines.emplace_back(source.substr(0, end));
    source.remove_prefix(std::min(end + 1, source.size()));
  }
  return lines;
}

}  // namespace

std::string without_text(std::string_view source) {
  return Blanker{source}.run();
}

std::vector<Function> functions_of(std::string_view source) {
  return BraceWalker{without_text(source)}.run();
}

std::vector<Include> includes_of(std::string_view source) {
  static const std::regex directive{R"(\s*#\s*include\s*(["<])([^">]+)[">].*)"};
  std::vector<Include> found;
  int number = 0;
  for (const std::string& line : lines_of(source)) {
    ++number;
    std::smatch match;
    if (std::regex_match(line, match, directive)) found.push_back({match[2].str(), match[1].str() == "\"", number});
  }
  return found;
}

int count_lines(std::string_view source) {
  return static_cast<int>(lines_of(source).size());
}

int opening_comment_lines(std::string_view source) {
  int count = 0;
  for (const std::string& line : lines_of(source)) {
    const bool is_blank = std::all_of(line.begin(), line.end(), is_space);
    if (line.starts_with("//")) {
      ++count;
    } else if (count > 0 || !is_blank) {
      break;
    }
  }
  return count;
}

int median(std::vector<int> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace verdigris::layout
