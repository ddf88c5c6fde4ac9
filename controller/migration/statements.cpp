#include "controller/migration/statements.hpp"

#include <algorithm>
#include <cctype>

namespace verdigris {
namespace {

bool is_word_start(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

bool is_word(char c) {
  return is_word_start(c) || std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '$';
}

class Scanner {
 public:
  explicit Scanner(std::string_view sql) : sql_(sql) {}

  std::vector<Statement> run() {
    while (at_ < sql_.size()) step();
    end_statement();
    return std::move(statements_);
  }

 private:
  bool looking_at(std::string_view text) const { return sql_.substr(at_).starts_with(text); }

  void step() {
    const char c = sql_[at_];
    if (looking_at("--"))
      skip_to(sql_.find('\n', at_));
    else if (looking_at("/*"))
      skip_comment();
    else if (c == '\'')
      skip_string(previous_is_escape());
    else if (c == '"')
      skip_quoted('"', false);
    else if (c == '$' && !dollar_tag().empty())
      skip_dollar_quote(dollar_tag());
    else if (is_word_start(c))
      take_word();
    else if (c == ';' && atomic_depth_ == 0)
      take_end();
    else
      take_other(c);
  }

  void skip_to(std::size_t end) {
    end = std::min(end, sql_.size());
    line_ += static_cast<int>(std::count(sql_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         sql_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    at_ = end;
  }

  void skip_comment() {  // they nest
    int depth = 0;
    do {
      const bool opens = looking_at("/*");
      const bool closes = looking_at("*/");
      depth += opens ? 1 : closes ? -1 : 0;
      skip_to(at_ + (opens || closes ? 2U : 1U));
    } while (depth > 0 && at_ < sql_.size());
  }

  // E'...' : a backslash hides the quote after it.
  bool previous_is_escape() const {
    const bool follows_e = at_ > 0 && (sql_[at_ - 1] == 'e' || sql_[at_ - 1] == 'E');
    return follows_e && (at_ < 2 || !is_word(sql_[at_ - 2]));
  }

  void skip_string(bool has_escapes) { skip_quoted('\'', has_escapes); }

  void skip_quoted(char quote, bool has_escapes) {
    std::size_t end = at_ + 1;
    for (; end < sql_.size(); ++end) {
      const bool is_doubled = sql_[end] == quote && end + 1 < sql_.size() && sql_[end + 1] == quote;
      if (is_doubled || (has_escapes && sql_[end] == '\\'))
        ++end;
      else if (sql_[end] == quote)
        break;
    }
    skip_to(end + 1);
  }

  // "$$" or "$tag$" at the present place; empty for a parameter such as $1 or a lone sign.
  std::string_view dollar_tag() const {
    std::size_t end = at_ + 1;
    if (end < sql_.size() && std::isdigit(static_cast<unsigned char>(sql_[end])) != 0) return {};
    while (end < sql_.size() && is_word(sql_[end]) && sql_[end] != '$') ++end;
    return end < sql_.size() && sql_[end] == '$' ? sql_.substr(at_, end - at_ + 1) : std::string_view{};
  }

  void skip_dollar_quote(std::string_view tag) {
    const auto end = sql_.find(tag, at_ + tag.size());
    skip_to(end == std::string_view::npos ? end : end + tag.size());
  }

  void take_word() {
    std::size_t end = at_;
    while (end < sql_.size() && is_word(sql_[end])) ++end;
    std::string word(sql_.substr(at_, end - at_));
    std::transform(word.begin(), word.end(), word.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    follow_atomic_body(word);
    add(std::move(word));
    at_ = end;
  }

  // BEGIN ATOMIC ... END is a function's body: its semicolons end no statement. CASE ... END nests in it.
  void follow_atomic_body(const std::string& word) {
    const bool follows_begin = !current_.words.empty() && current_.words.back() == "BEGIN";
    if (word == "ATOMIC" && follows_begin && current_.words.front() == "CREATE")
      ++atomic_depth_;
    else if (atomic_depth_ > 0 && word == "CASE")
      ++atomic_depth_;
    else if (atomic_depth_ > 0 && word == "END")
      --atomic_depth_;
  }

  void take_end() {
    end_statement();
    ++at_;
  }

  void take_other(char c) {
    if (c == '\\') add("\\");
    skip_to(at_ + 1);
  }

  void add(std::string word) {
    if (current_.words.empty()) current_.line = line_;
    current_.words.push_back(std::move(word));
  }

  void end_statement() {
    if (!current_.words.empty()) statements_.push_back(std::move(current_));
    current_ = {};
    atomic_depth_ = 0;
  }

  std::string_view sql_;
  std::size_t at_ = 0;
  int line_ = 1;
  int atomic_depth_ = 0;
  Statement current_;
  std::vector<Statement> statements_;
};

}  // namespace

std::vector<Statement> statements_of(std::string_view sql) {
  return Scanner(sql).run();
}

}  // namespace verdigris
