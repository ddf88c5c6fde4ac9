#include "controller/ini_lexer.hpp"

#include <algorithm>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr int kMostIncludeLevels = 10;  // PgBouncer's MAX_INCLUDE
constexpr std::string_view kInclude = "%include";

// isspace() and isblank() of the C locale, in which PgBouncer runs.
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '-' || c == '*';
}

class IniReader {
 public:
  IniReader(const std::string& name, std::string_view text, int level) : name_(name), text_(text), level_(level) {}

  void read(const IncludeReader& read_include, std::string& section, std::vector<IniEntry>& entries) {
    if (text_.find('\0') != std::string_view::npos) fail("a zero byte ends the file for PgBouncer");
    while (skip_space(), at_ < text_.size()) {
      if (is_include()) {
        follow(read_include, section, entries);
      } else if (peek() == '#' || peek() == ';') {
        line_end();
      } else if (peek() == '[') {
        section = section_name();
      } else {
        entries.push_back(entry(section));
      }
    }
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  void skip_blanks() {
    while (is_blank(peek())) ++at_;
  }
  int line() const { return 1 + static_cast<int>(std::count(text_.begin(), text_.begin() + position(), '\n')); }
  std::ptrdiff_t position() const { return static_cast<std::ptrdiff_t>(at_); }

  [[noreturn]] void fail(const std::string& why) const {
    throw Refused("pooler.ini-syntax", name_ + ":" + std::to_string(line()) + ": " + why,
                  "PgBouncer stops reading the file there; correct it and run RELOAD.");
  }

  // To the end of the line; what stands there without the white space behind it.
  std::string_view line_end() {
    const std::size_t begin = at_;
    at_ = std::min(text_.find('\n', at_), text_.size());
    std::string_view rest = text_.substr(begin, at_ - begin);
    while (!rest.empty() && is_space(rest.back())) rest.remove_suffix(1);
    return rest;
  }

  bool is_include() const {
    const std::string_view rest = text_.substr(at_);
    return rest.starts_with(kInclude) && rest.size() > kInclude.size() && is_blank(rest[kInclude.size()]);
  }

  void follow(const IncludeReader& read_include, std::string& section, std::vector<IniEntry>& entries) {
    if (level_ >= kMostIncludeLevels) fail("files are included too deeply");
    at_ += kInclude.size();
    skip_blanks();
    const std::string included(line_end());
    const auto text = read_include(included);
    if (!text)
      throw Refused("pooler.include-unreadable",
                    name_ + ":" + std::to_string(line()) + ": cannot read the included file \"" + included + "\"",
                    "PgBouncer stops reading at a missing include; make the file readable or remove the line.");
    read_ini(included, *text, read_include, level_ + 1, section, entries);
  }

  std::string section_name() {
    const std::size_t begin = ++at_;
    while (at_ < text_.size() && peek() != ']' && peek() != '\n') ++at_;
    if (peek() != ']') fail("a section without \"]\"");
    return std::string(text_.substr(begin, at_++ - begin));
  }

  // 1.18 takes bare names only; newer versions also 'quoted ones'.
  std::string entry_name() {
    if (peek() != '\'') {
      const std::size_t begin = at_;
      while (is_name_character(peek())) ++at_;
      return std::string(text_.substr(begin, at_ - begin));
    }
    const std::size_t begin = ++at_;
    while (at_ < text_.size() && peek() != '\'') ++at_;
    if (at_ >= text_.size()) fail("a name without its closing quote");
    return std::string(text_.substr(begin, at_++ - begin));
  }

  IniEntry entry(const std::string& section) {
    IniEntry result;
    result.section = section;
    result.file = name_;
    result.is_included = level_ > 0;
    result.line = line();
    result.key_offset = at_;
    result.key = entry_name();
    skip_blanks();
    if (result.key.empty() || peek() != '=') fail("not \"name = value\"");
    ++at_;
    skip_blanks();
    result.value_offset = at_;
    result.value = line_end();
    return result;
  }

  const std::string& name_;
  std::string_view text_;
  int level_;
  std::size_t at_ = 0;
};

class PairReader {
 public:
  explicit PairReader(const IniEntry& entry) : entry_(entry), text_(entry.value) {}

  std::vector<IniPair> read() {
    std::vector<IniPair> pairs;
    while (skip_spaces(), at_ < text_.size()) pairs.push_back(pair());
    return pairs;
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_spaces() {
    while (peek() == ' ') ++at_;
  }

  IniPair pair() {
    IniPair result;
    begin_ = at_;
    while (at_ < text_.size() && peek() != '=' && peek() != ' ') ++at_;
    result.key = text_.substr(begin_, at_ - begin_);
    skip_spaces();
    if (peek() != '=' || result.key.empty()) fail("not \"key=value\"");
    ++at_;
    skip_spaces();
    result.begin = at_;
    if (peek() == '\'')
      read_quoted(result);
    else
      read_bare(result);
    result.end = at_;
    if (result.value.empty()) fail("a key without value");
    if (result.key.find_first_of(";#") != std::string::npos) fail("not \"key=value\"");
    return result;
  }

  void read_quoted(IniPair& result) {
    result.is_quoted = true;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\'' && (at_ + 1 >= text_.size() || text_[at_ + 1] != '\'')) {
        ++at_;
        // PgBouncer swallows the byte behind a closing quote, whatever it is.
        if (at_ < text_.size() && peek() != ' ') fail("no space behind a closing quote");
        return;
      }
      if (text_[at_] == '\'') ++at_;
      result.value += text_[at_];
    }
    fail("a value without its closing quote");
  }

  void read_bare(IniPair& result) {
    while (at_ < text_.size() && peek() != ' ') ++at_;
    result.value = text_.substr(result.begin, at_ - result.begin);
  }

  // The line itself is not shown: it may hold a password.
  [[noreturn]] void fail(const std::string& why) const {
    const bool is_comment = text_.substr(begin_).find_first_of(";#") != std::string_view::npos;
    if (is_comment)
      throw Refused("pooler.ini-comment",
                    place(entry_) + ": PgBouncer reads the comment behind \"" + entry_.key + "\" as part of the entry",
                    "Move the comment to a line of its own.");
    throw Refused("pooler.ini-syntax", place(entry_) + ": entry \"" + entry_.key + "\": " + why,
                  "PgBouncer stops reading the file there; correct it and run RELOAD.");
  }

  const IniEntry& entry_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t begin_ = 0;
};

}  // namespace

void read_ini(const std::string& name, std::string_view text, const IncludeReader& read_include, int level,
              std::string& section, std::vector<IniEntry>& entries) {
  IniReader(name, text, level).read(read_include, section, entries);
}

std::vector<IniPair> read_pairs(const IniEntry& entry) {
  return PairReader(entry).read();
}

std::string ini_value(const std::string& value, bool is_quoted) {
  if (!is_quoted && value.find_first_of(" '") == std::string::npos) return value;
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + '\'';
}

std::string place(const IniEntry& entry) {
  return entry.file + ":" + std::to_string(entry.line);
}

}  // namespace verdigris
