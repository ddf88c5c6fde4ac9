#include "controller/ini_adoption.hpp"

#include <algorithm>

#include "controller/ini_lexer.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

struct Definitions {
  const IniEntry* in_main = nullptr;
  const IniEntry* in_included = nullptr;
  int count = 0;
};

Definitions definitions_of(const IniFile& file, const std::string& alias, const std::string& included) {
  Definitions found;
  for (const auto& entry : file.entries()) {
    if (entry.section != "databases" || entry.key != alias) continue;
    ++found.count;
    if (!entry.is_included) found.in_main = &entry;
    if (entry.is_included && entry.file == included) found.in_included = &entry;
  }
  return found;
}

bool is_space_or_tab(char c) { return c == ' ' || c == '\t'; }

std::string_view line_end_of(std::string_view text) { return text.find("\r\n") == std::string_view::npos ? "\n" : "\r\n"; }

// Of what stands there, with the blanks before it.
std::size_t begin_of_line(const std::string& text, std::size_t at) {
  while (at > 0 && is_space_or_tab(text[at - 1])) --at;
  return at;
}

// The whole line; what stands before the entry on it, a section's name, stays with its line end.
void erase_line(std::string& text, const IniEntry& entry) {
  const std::size_t begin = begin_of_line(text, entry.key_offset);
  const bool is_alone = begin == 0 || text[begin - 1] == '\n';
  std::size_t end = text.find('\n', entry.value_offset);
  if (end == std::string::npos) end = text.size();
  else if (is_alone) ++end;
  else if (text[end - 1] == '\r') --end;
  text.erase(begin, end - begin);
}

void require_readable_path(const std::string& included) {
  const bool has_control =
      std::any_of(included.begin(), included.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (included.starts_with('/') && !has_control && !included.ends_with(' ')) return;
  throw Refused("pooler.include-path", "\"" + included + "\" cannot stand behind %include",
                "Let include of the pooler in the playbook name an absolute path without control characters.");
}

// What moves; in the order of the playbook.
std::vector<const IniEntry*> lines_to_move(const IniFile& file, const std::vector<std::string>& aliases,
                                           const std::string& included) {
  std::vector<const IniEntry*> lines;
  for (const auto& alias : aliases) {
    const auto found = definitions_of(file, alias, included);
    const bool is_half_moved = found.count == 2 && found.in_main != nullptr && found.in_included != nullptr &&
                               found.in_main->value == found.in_included->value;
    if (!is_half_moved) file.definition(alias);
    if (found.in_main != nullptr) lines.push_back(found.in_main);
  }
  return lines;
}

}  // namespace

std::string include_line(const std::string& included) { return "%include " + included; }

AdoptedTexts adopted_texts(const IniFile& file, const std::vector<std::string>& aliases, const std::string& included) {
  require_readable_path(included);
  auto lines = lines_to_move(file, aliases, included);
  AdoptedTexts texts{file.bytes(), file.managed_bytes().value_or(std::string(kManagedHeader) + "\n[databases]\n"), {}};
  texts.included = without_probes(texts.included);
  for (const auto* line : lines) {
    texts.moved.push_back(line->key);
    if (definitions_of(file, line->key, included).in_included != nullptr) continue;
    if (!texts.included.empty() && texts.included.back() != '\n') texts.included += '\n';
    texts.included += line->key + " = " + line->value + "\n";
  }
  std::sort(lines.begin(), lines.end(), [](const auto* a, const auto* b) { return a->key_offset > b->key_offset; });
  for (const auto* line : lines) erase_line(texts.main, *line);  // from the back, so that offsets stay right
  if (file.managed_bytes()) return texts;
  const auto line_end = line_end_of(file.bytes());
  if (!texts.main.empty() && texts.main.back() != '\n') texts.main += line_end;
  texts.main.append(include_line(included)).append(line_end);
  return texts;
}

// Before the line of the alias, so that it stands in the same section whatever else the file holds.
std::string with_lines(const std::string& included, const std::string& alias, const std::string& lines) {
  const auto nothing = [](const std::string&) -> std::optional<std::string> { return ""; };
  const IniFile file = IniFile::parse("the included file", included, nothing);
  const auto found = std::ranges::find_if(file.entries(), [&](const auto& entry) {
    return entry.key == alias && (entry.section == "databases" || entry.section.empty());
  });
  if (found == file.entries().end()) throw Error("pooler.file", "database \"" + alias + "\" left the included file meanwhile");
  std::string text = included;
  const std::size_t begin = begin_of_line(text, found->key_offset);
  const char* separator = begin == 0 || text[begin - 1] == '\n' ? "" : "\n";  // a section's name stands before it
  return text.insert(begin, separator + lines);
}

std::string without_probes(std::string_view included) {
  std::string out;
  while (!included.empty()) {
    const auto end = std::min(included.find('\n'), included.size() - 1) + 1;
    if (!included.starts_with(kProbePrefix)) out += included.substr(0, end);
    included.remove_prefix(end);
  }
  return out;
}

}  // namespace verdigris
