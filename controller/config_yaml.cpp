#include "controller/config_yaml.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "controller/printable.hpp"

namespace verdigris {

namespace {

constexpr std::size_t kDeepest = 32;
constexpr int kMostNodes = 10'000;
constexpr int kBracketsInFlow = 64;  // on the way to a scalar; beyond it yaml-cpp's scanner is slow

struct Stop {};  // a fault after which reading on makes no sense; it is in the faults already

// Builds our nodes out of yaml-cpp's events.
class Builder : public YAML::EventHandler {
 public:
  Builder(std::string_view text, ConfigFaults& faults) : text_(text), faults_(faults) {}

  YamlNode take_root() { return std::move(root_); }
  bool has_document() const { return documents_ > 0; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) stop(mark, "yaml-document", "a playbook is one document; here begins a second one");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    leaf(mark, "", anchor, YamlNode::Kind::null, "");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    faults_.add(place(mark), "yaml-alias", "an alias (*) may not stand in a playbook");
    leaf(mark, "", 0, YamlNode::Kind::null, "").is_secret = true;
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode& node = leaf(mark, tag, anchor, YamlNode::Kind::scalar, value);
    node.is_quoted = tag == "!";
    check_escapes(node);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open_.push_back(made(mark, tag, anchor, YamlNode::Kind::sequence));
    check_depth(mark);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open_.push_back(made(mark, tag, anchor, YamlNode::Kind::mapping));
    check_depth(mark);
  }
  void OnMapEnd() override { close(); }

 private:
  static Place place(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1, 1}; }

  [[noreturn]] void stop(const YAML::Mark& mark, const std::string& id, const std::string& text) {
    faults_.add(place(mark), id, text);
    throw Stop{};
  }

  void check_depth(const YAML::Mark& mark) {
    if (open_.size() > kDeepest) stop(mark, "yaml-depth", fmt::format("nested deeper than {} levels", kDeepest));
  }

  // yaml-cpp reports an explicit "!" like a quoted scalar: the text tells them apart.
  bool is_tagged(const YAML::Mark& mark, const std::string& tag) const {
    const auto at = static_cast<std::size_t>(mark.pos);
    const bool is_written = at < text_.size() && text_[at] == '!';
    return is_written || (!tag.empty() && tag != "!" && tag != "?");
  }

  YamlNode made(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlNode::Kind kind) {
    if (++nodes_ > kMostNodes) stop(mark, "yaml-nodes", fmt::format("more than {} nodes", kMostNodes));
    if (anchor != 0) faults_.add(place(mark), "yaml-anchor", "an anchor (&) may not stand in a playbook");
    if (is_tagged(mark, tag)) faults_.add(place(mark), "yaml-tag", "a tag (!) may not stand in a playbook");
    YamlNode node;
    node.kind = kind;
    node.place = place(mark);
    node.last_line = node.place.line;
    return node;
  }

  YamlNode& leaf(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlNode::Kind kind,
                 const std::string& value) {
    YamlNode node = made(mark, tag, anchor, kind);
    node.text = value;
    // A scalar on one line is underlined as it is written; one that spans lines at its start.
    if (value.find('\n') == std::string::npos) node.place.width = std::max(1, static_cast<int>(value.size()));
    if (kind == YamlNode::Kind::scalar && is_quote(mark)) node.place.width += 2;
    return append(std::move(node));
  }

  bool is_quote(const YAML::Mark& mark) const {
    const auto at = static_cast<std::size_t>(mark.pos);
    return at < text_.size() && (text_[at] == '"' || text_[at] == '\'');
  }

  YamlNode& append(YamlNode node) {
    if (open_.empty()) return root_ = std::move(node);
    open_.back().items.push_back(std::move(node));
    return open_.back().items.back();
  }

  void close() {
    YamlNode node = std::move(open_.back());
    open_.pop_back();
    append(std::move(node));
  }

  // "\0" or "\u202e" in double quotes.
  void check_escapes(const YamlNode& node) {
    for (std::size_t at = 0; at < node.text.size();) {
      const auto character = utf8_at(node.text, at);
      const bool is_bad = !character || (character->code != '\n' && is_hidden_control(character->code));
      if (is_bad) {
        faults_.add(node.place, "control-character",
                    "a control character may not stand in a playbook, not even escaped");
        return;
      }
      at += character->bytes;
    }
  }

  std::string_view text_;
  ConfigFaults& faults_;
  YamlNode root_;
  std::vector<YamlNode> open_;
  int documents_ = 0;
  int nodes_ = 0;
};

// A scalar may go on until the next node begins; what it holds may stand on any line up to there.
int set_last_lines(YamlNode& node, int next) {
  for (std::size_t i = 0; i < node.items.size(); ++i)
    set_last_lines(node.items[i], i + 1 < node.items.size() ? node.items[i + 1].place.line : next);
  return node.last_line = next;
}

struct Scan {
  int line = 1;
  std::size_t line_start = 0;
};

// yaml-cpp's scanner takes seconds for 100 000 open brackets; more than a playbook needs are refused before it runs.
// Brackets in quotes and comments are counted too, but closed ones do not add up.
void check_brackets(std::string_view text, ConfigFaults& faults) {
  Scan scan;
  int open = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\n') scan = {scan.line + 1, at + 1};
    if (c == '[' || c == '{') ++open;
    if ((c == ']' || c == '}') && open > 0) --open;
    if (open <= kBracketsInFlow) continue;
    faults.add({scan.line, static_cast<int>(at - scan.line_start) + 1, 1}, "yaml-depth",
               fmt::format("nested deeper than {} levels", kDeepest));
    faults.throw_if_any();
  }
}

// The same for "- - - -" and "? ? ? ?", which open a level each.
void check_directives_and_dashes(std::string_view text, ConfigFaults& faults) {
  int line = 0;
  while (!text.empty()) {
    ++line;
    const std::string_view one = text.substr(0, std::min(text.find('\n'), text.size()));
    text.remove_prefix(std::min(one.size() + 1, text.size()));
    if (one.starts_with('%')) faults.add({line, 1, 1}, "yaml-directive", "a directive (%) may not stand in a playbook");
    std::size_t at = 0;
    std::size_t levels = 0;
    while (at < one.size() && (one[at] == ' ' || one[at] == '-' || one[at] == '?'))
      levels += one[at++] == ' ' ? 0U : 1U;
    if (levels <= 2 * kDeepest || at == one.size()) continue;
    faults.add({line, 1, 1}, "yaml-depth", fmt::format("nested deeper than {} levels", kDeepest));
  }
  faults.throw_if_any();
}

}  // namespace

void check_bytes(std::string_view text, ConfigFaults& faults) {
  Scan scan;
  for (std::size_t at = 0; at < text.size();) {
    const Place place{scan.line, static_cast<int>(at - scan.line_start) + 1, 1};
    const auto character = utf8_at(text, at);
    if (!character) {
      faults.add(place, "encoding", fmt::format("not UTF-8 at byte offset {}", at), "Save the file as UTF-8.");
      return;  // what follows is guesswork
    }
    const char32_t code = character->code;
    const bool is_line_end = code == '\n' || (code == '\r' && text.substr(at, 2) == "\r\n");
    if (code == '\t') {
      faults.add(place, "tab", fmt::format("a tab may not stand in a playbook (byte offset {})", at), "Use blanks.");
    } else if (!is_line_end && is_hidden_control(code)) {
      faults.add(place, "control-character",
                 fmt::format("control character U+{:04X} at byte offset {}", static_cast<unsigned>(code), at));
    }
    at += character->bytes;
    if (code == '\n') scan = {scan.line + 1, at};
  }
}

YamlNode parse_yaml(std::string_view text, ConfigFaults& faults) {
  check_brackets(text, faults);
  check_directives_and_dashes(text, faults);
  std::istringstream stream{std::string(text)};
  Builder builder(text, faults);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {}
  } catch (const Stop&) {
    faults.throw_if_any();
  } catch (const YAML::ParserException& error) {
    faults.add({error.mark.line + 1, error.mark.column + 1, 1}, "yaml", error.msg);
    faults.throw_if_any();
  }
  YamlNode root = builder.take_root();
  if (root.kind != YamlNode::Kind::mapping) {
    const bool is_empty = !builder.has_document() || root.kind == YamlNode::Kind::null;
    faults.add({1, 1, 1}, "yaml-root",
               is_empty ? "the playbook is empty" : "a playbook is a mapping (key: value) at its top");
    faults.throw_if_any();
  }
  set_last_lines(root, static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1);
  return root;
}

}  // namespace verdigris
