#include "controller/ini_file.hpp"

#include <algorithm>

#include "controller/ini_lexer.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

constexpr std::string_view kDatabases = "databases";
constexpr std::string_view kSettings = "pgbouncer";

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// A value that cannot be written, or would not be read back as it is.
void require_writable(const std::string& key, const std::string& value) {
  const bool has_control =
      std::any_of(value.begin(), value.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (value.empty() || has_control || (key == "port" && !is_number(value)))
    throw Refused("pooler.target-value", "the new " + key + " cannot be written into PgBouncer's file",
                  "Give both servers a host, a numeric port and a dbname.");
  if (key == "host" && value.find(',') != std::string::npos)
    throw Refused("pooler.host-list", "the new host \"" + value + "\" is a list",
                  "Name one host: any change of a list drops all server connections (PgBouncer issue 1536).");
}

// The pair of a key; more than one is refused, because PgBouncer takes the last and a reader the first.
const IniPair* find_pair(const std::vector<IniPair>& pairs, const std::string& key, const IniEntry& entry) {
  const IniPair* found = nullptr;
  for (const auto& pair : pairs) {
    if (pair.key != key) continue;
    if (found != nullptr)
      throw Refused("pooler.ini-syntax", place(entry) + ": \"" + key + "\" stands twice in entry \"" + entry.key + "\"",
                    "Keep one of them; PgBouncer takes the last.");
    found = &pair;
  }
  if (found == nullptr || found->is_quoted) return found;
  if (found->value.find_first_of(";#") != std::string::npos)
    throw Refused("pooler.ini-comment", place(entry) + ": PgBouncer reads the comment as part of " + key,
                  "Move the comment to a line of its own.");
  if (found->value.find('\t') != std::string::npos)
    throw Refused("pooler.ini-syntax",
                  place(entry) + ": a tab is part of " + key + ", PgBouncer separates by spaces only",
                  "Write a space in place of the tab.");
  return found;
}

void require_no_host_list(const IniPair* host, const IniEntry& entry) {
  if (host != nullptr && host->value.find(',') != std::string::npos)
    throw Refused("pooler.host-list", place(entry) + ": \"" + entry.key + "\" has a list of hosts",
                  "Name one host: any change of a list drops all server connections (PgBouncer issue 1536).");
}

// What PgBouncer takes if the key is absent.
std::string default_of(const std::string& key, const std::string& alias) {
  if (key == "port") return "5432";
  return key == "dbname" ? alias : std::string{};
}

struct Edit {
  std::size_t begin, end;  // within the entry's value
  std::string text;
};

// Of one key: nothing if it is right already, by its token or by the default.
void add_edit(std::vector<Edit>& edits, const std::vector<IniPair>& pairs, const IniEntry& entry,
              const std::string& key, const std::string& wanted) {
  const IniPair* pair = find_pair(pairs, key, entry);
  if (pair != nullptr) {
    if (pair->value != wanted) edits.push_back({pair->begin, pair->end, ini_value(wanted, pair->is_quoted)});
  } else if (default_of(key, entry.key) != wanted) {
    const bool is_first = entry.value.empty() && edits.empty();
    const std::string text = (is_first ? "" : " ") + key + "=" + ini_value(wanted, false);
    edits.push_back({entry.value.size(), entry.value.size(), text});
  }
}

}  // namespace

IniFile IniFile::parse(std::string name, std::string bytes, const IncludeReader& read_include, std::string managed) {
  IniFile result;
  result.name_ = std::move(name);
  result.bytes_ = std::move(bytes);
  result.managed_ = std::move(managed);
  const auto noting = [&](const std::string& included) {
    auto text = read_include(included);
    if (!result.managed_.empty() && included == result.managed_) result.managed_bytes_ = text;
    return text;
  };
  std::string section;
  read_ini(result.name_, result.bytes_, noting, 0, section, result.entries_);
  for (const auto& entry : result.entries_)
    if (entry.section == kDatabases) read_pairs(entry);  // one spoiled line spoils the whole file
  return result;
}

const IniEntry& IniFile::definition(const std::string& alias) const {
  const IniEntry* found = nullptr;
  const IniEntry* wildcard = nullptr;
  for (const auto& entry : entries_) {
    if (entry.section != kDatabases) continue;
    if (entry.key == "*") wildcard = &entry;
    if (entry.key != alias || alias == "*") continue;
    if (found != nullptr)
      throw Refused("pooler.alias-twice",
                    place(entry) + ": database \"" + alias + "\" is defined before, at " + place(*found),
                    "Keep one definition; PgBouncer takes the last.");
    found = &entry;
  }
  if (found == nullptr && wildcard != nullptr)
    throw Refused("pooler.alias-wildcard",
                  place(*wildcard) + ": database \"" + alias + "\" is served by the entry \"*\"",
                  "Give the database a line of its own and run RELOAD.");
  if (found == nullptr)
    throw Refused("pooler.alias-absent", name_ + ": database \"" + alias + "\" is not defined",
                  "Correct pooler.databases in the playbook, or define the database in [databases].");
  if (!found->is_included) return *found;
  if (!managed_bytes_ || found->file != managed_)
    throw Refused("pooler.alias-included",
                  place(*found) + ": database \"" + alias + "\" is defined in an included file that is not ours",
                  "Move its line into " + name_ + " itself; verdigris pooler adopt then moves it into a file of its own.");
  if (!managed_bytes_->starts_with(kManagedHeader))
    throw Refused("pooler.include-foreign",
                  managed_ + ": the first line is not \"" + std::string(kManagedHeader) + "\", so the file is somebody else's",
                  "Let include of the pooler in the playbook name another file, or move the line of the database into " + name_ + ".");
  return *found;
}

Endpoint IniFile::target(const std::string& alias) const {
  const IniEntry& entry = definition(alias);
  const auto pairs = read_pairs(entry);
  const auto value = [&](const std::string& key) {
    const IniPair* pair = find_pair(pairs, key, entry);
    return pair == nullptr ? default_of(key, alias) : pair->value;
  };
  require_no_host_list(find_pair(pairs, "host", entry), entry);
  return {value("host"), value("port"), value("dbname")};
}

std::string IniFile::with_target(const std::string& alias, const Endpoint& target) const {
  const IniEntry& entry = definition(alias);
  const auto pairs = read_pairs(entry);
  require_no_host_list(find_pair(pairs, "host", entry), entry);
  std::vector<Edit> edits;
  for (const auto& [key, wanted] :
       {std::pair{"host", &target.host}, std::pair{"port", &target.port}, std::pair{"dbname", &target.dbname}}) {
    require_writable(key, *wanted);
    add_edit(edits, pairs, entry, key, *wanted);
  }
  // From the back, so that offsets stay right; the additions share one place and keep their order.
  std::stable_sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
  std::string bytes = entry.is_included ? *managed_bytes_ : bytes_;
  for (auto edit = edits.rbegin(); edit != edits.rend(); ++edit)
    bytes.replace(entry.value_offset + edit->begin, edit->end - edit->begin, edit->text);
  return bytes;
}

std::optional<std::string> IniFile::setting(const std::string& key) const {
  std::optional<std::string> found;
  for (const auto& entry : entries_)
    if (entry.section == kSettings && entry.key == key) found = entry.value;
  return found;
}

}  // namespace verdigris
