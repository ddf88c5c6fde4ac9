#include "tests/layout/rules.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <utility>

#include "tests/layout/source_scanner.hpp"

namespace verdigris::layout {
namespace {

namespace fs = std::filesystem;

struct Room {
  std::string_view folder;
  std::vector<std::string_view> forbidden;  // beginnings of included paths
};

const std::vector<Room>& rooms() {
  static const std::vector<Room> all{
      {"replication/",
       {"healthcheck/", "controller/", "tests/", "spdlog", "fmt/", "yaml-cpp", "boost/", "CLI/", "nlohmann"}},
      {"healthcheck/", {"controller/", "tests/", "spdlog", "fmt/", "yaml-cpp", "boost/", "CLI/", "nlohmann"}},
      {"controller/", {"tests/"}},
  };
  return all;
}

std::string camel_case(const std::string& stem) {
  std::string out;
  bool is_start = true;
  for (char c : stem) {
    if (c == '_') {
      is_start = true;
      continue;
    }
    out += is_start ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    is_start = false;
  }
  return out;
}

std::vector<std::string> paths_by_git(const std::string& root) {
  // GIT_DIR of a hook that started the build must not lead elsewhere.
  const std::string command = "env -u GIT_DIR -u GIT_WORK_TREE git -c safe.directory='*' -C '" + root +
                              "' ls-files -z --cached --others --exclude-standard 2>/dev/null";
  const auto close = [](std::FILE* pipe) { return pclose(pipe); };
  const std::unique_ptr<std::FILE, decltype(close)> pipe{popen(command.c_str(), "r"), close};
  std::vector<std::string> paths;
  std::string path;
  for (int c = 0; pipe && (c = std::fgetc(pipe.get())) != EOF;) {
    if (c != 0) {
      path += static_cast<char>(c);
    } else {
      paths.push_back(std::exchange(path, {}));
    }
  }
  return paths;
}

std::vector<std::string> paths_by_walking(const std::string& root) {
  static constexpr std::array<std::string_view, 5> kSkipped{".git", "build", ".toolchain", "node_modules", ".cache"};
  std::vector<std::string> paths;
  for (auto it = fs::recursive_directory_iterator{root}; it != fs::recursive_directory_iterator{}; ++it) {
    const std::string name = it->path().filename();
    if (std::find(kSkipped.begin(), kSkipped.end(), name) != kSkipped.end()) it.disable_recursion_pending();
    if (it->is_regular_file()) paths.push_back(fs::relative(it->path(), root));
  }
  return paths;
}

}  // namespace

std::vector<std::string> wrong_includes(const SourceFile& file) {
  std::vector<std::string> wrong;
  for (const Room& room : rooms()) {
    if (!file.path.starts_with(room.folder)) continue;
    for (const Include& include : includes_of(file.text)) {
      const auto matches = [&](std::string_view beginning) { return include.path.starts_with(beginning); };
      if (std::any_of(room.forbidden.begin(), room.forbidden.end(), matches)) {
        wrong.push_back("line " + std::to_string(include.line) + ": " + include.path);
      }
    }
  }
  return wrong;
}

bool has_banned_wait(const SourceFile& file) {
  static const std::regex qualified{R"(\b(child|group)\s*::\s*wait_(for|until)\b)"};
  static const std::regex call{R"((\.|->)\s*wait_(for|until)\s*\()"};
  if (file.path == "controller/process.cpp") return false;
  const std::string code = without_text(file.text);
  if (std::regex_search(code, qualified)) return true;
  const auto includes = includes_of(file.text);
  const auto is_process = [](const Include& include) { return include.path.starts_with("boost/process"); };
  return std::any_of(includes.begin(), includes.end(), is_process) && std::regex_search(code, call);
}

bool has_machine_path(std::string_view text) {
  static const std::regex path{R"((^|[^A-Za-z0-9_.$}>*-])/(work|root|home)/)"};
  return std::regex_search(text.begin(), text.end(), path);
}

bool is_named_in(const std::string& stem, const std::string& text) {
  return std::regex_search(text, std::regex{"\\b(" + stem + "|" + camel_case(stem) + ")\\b"});
}

std::vector<SourceFile> project_files(const std::string& root) {
  std::vector<std::string> paths = paths_by_git(root);
  if (paths.empty()) paths = paths_by_walking(root);
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  std::vector<SourceFile> files;
  for (const std::string& path : paths) {
    std::ifstream in{fs::path{root} / path, std::ios::binary};
    if (!in) continue;  // deleted, but not yet for git
    files.push_back({path, {std::istreambuf_iterator<char>{in}, {}}});
  }
  return files;
}

}  // namespace verdigris::layout
