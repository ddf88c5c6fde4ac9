#include "controller/migration/files.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <regex>

#include "controller/migration/statements.hpp"
#include "controller/staged_file.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;

// Well-formed UTF-8 as PostgreSQL takes it: no overlong forms, no surrogates, at most U+10FFFF.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(i + k < text.size() ? text[i + k] : 0); };
    const unsigned char first = byte(0);
    const std::size_t length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first >= 0x80 && (first < 0xC2 || first > 0xF4)) return false;
    for (std::size_t k = 1; k < length; ++k)
      if ((byte(k) & 0xC0) != 0x80) return false;
    if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) || (first == 0xF0 && byte(1) < 0x90) ||
        (first == 0xF4 && byte(1) > 0x8F))
      return false;
    i += length;
  }
  return true;
}

std::string fault_of(const Statement& statement) {
  const auto& words = statement.words;
  const std::string& first = words.front();
  const auto second = words.size() > 1 ? words[1] : std::string{};
  const auto has = [&](const char* word) { return std::find(words.begin(), words.end(), word) != words.end(); };
  if (first == "\\") return "a command of psql, which migrations are not run through";
  static const std::vector<std::string> kTransaction{"BEGIN",    "START", "COMMIT",    "END",
                                                     "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"};
  if (std::find(kTransaction.begin(), kTransaction.end(), first) != kTransaction.end() ||
      (first == "PREPARE" && second == "TRANSACTION"))
    return first + " would break the migration's own transaction";
  const bool takes_concurrently = first == "CREATE" || first == "DROP" || first == "REINDEX" || first == "ALTER";
  if (takes_concurrently && has("CONCURRENTLY")) return "CONCURRENTLY cannot run inside a transaction";
  if (first == "VACUUM" || (first == "ALTER" && second == "SYSTEM") ||
      ((first == "CREATE" || first == "DROP") &&
       (second == "DATABASE" || second == "TABLESPACE" || second == "SUBSCRIPTION")))
    return first + " " + second + " cannot run inside a transaction";
  if (first == "COPY" && (has("STDIN") || has("STDOUT"))) return "COPY from or to the client has no client here";
  return {};
}

std::optional<std::string> read_file(const fs::path& file, std::vector<std::string>& faults) {
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!fs::is_regular_file(file) || !stream.good()) {
    faults.push_back(file.string() + ": cannot be read");
    return std::nullopt;
  }
  if (text.find('\0') != std::string::npos || !is_utf8(text)) {
    faults.push_back(file.string() + ": is not UTF-8 text");
    return std::nullopt;
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  for (const auto& fault : faults_of_sql(text)) faults.push_back(file.string() + ": " + fault);
  return text;
}

std::vector<fs::path> entries(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> list;
  for (const auto& entry : fs::directory_iterator(directory, error))
    if (!entry.path().filename().string().starts_with('.')) list.push_back(entry.path());
  if (error)
    throw Error("migration.files", "migrations.dir " + directory.string() + " cannot be read: " + error.message(),
                "Check the path in the playbook.", Failure::usage);
  std::sort(list.begin(), list.end());
  return list;
}

}  // namespace

std::vector<std::string> faults_of_sql(std::string_view sql) {
  std::vector<std::string> faults;
  for (const Statement& statement : statements_of(sql))
    if (const auto fault = fault_of(statement); !fault.empty())
      faults.push_back("line " + std::to_string(statement.line) + ": " + fault);
  return faults;
}

std::vector<Migration> load_migrations(const fs::path& directory) {
  static const std::regex kName("[0-9]{4}_[a-z0-9_]+");
  std::vector<Migration> migrations;
  std::vector<std::string> faults;
  for (const auto& path : entries(directory)) {
    const std::string name = path.filename();
    if (!fs::is_directory(path) || !std::regex_match(name, kName)) {
      faults.push_back(path.string() + ": is not a folder named NNNN_name");
      continue;
    }
    if (!migrations.empty() && migrations.back().name.substr(0, 4) == name.substr(0, 4))
      faults.push_back(path.string() + ": has the number of " + migrations.back().name);
    const auto up = read_file(path / "up.sql", faults);
    const auto down = read_file(path / "down.sql", faults);
    migrations.push_back({name, up.value_or(""), down.value_or(""), sha256(up.value_or(""))});
  }
  if (faults.empty()) return migrations;
  std::string text = std::to_string(faults.size()) + " faults in migrations.dir";
  for (const auto& fault : faults) text += "\n  " + fault;
  throw Error("migration.files", text, "Correct the files; each migration is NNNN_name/up.sql and down.sql.",
              Failure::usage);
}

}  // namespace verdigris
