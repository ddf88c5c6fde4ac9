// The project keeps its own rules; each failure names the file and what to do. The rules are in CONTRIBUTING.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "tests/layout/rules.hpp"
#include "tests/layout/source_scanner.hpp"

namespace verdigris::layout {
namespace {

constexpr int kMaxFileLines = 400;
constexpr int kMaxMedianFileLines = 120;
constexpr int kMaxFunctionLines = 60;
constexpr int kMaxMedianFunctionLines = 10;

const std::vector<SourceFile>& all_files() {
  static const std::vector<SourceFile> files = project_files(VERDIGRIS_SOURCE_DIR);
  return files;
}

bool is_header(const SourceFile& file) {
  return file.path.ends_with(".hpp");
}
bool is_cpp(const SourceFile& file) {
  return file.path.ends_with(".cpp") || is_header(file);
}
bool is_test(const SourceFile& file) {
  return file.path.starts_with("tests/");
}

// Those of the product; tests obey the limits, but do not pull the medians.
bool is_product(const SourceFile& file) {
  static const std::vector<std::string> folders{"controller/", "healthcheck/", "replication/"};
  return is_cpp(file) && std::any_of(folders.begin(), folders.end(),
                                     [&](const std::string& folder) { return file.path.starts_with(folder); });
}

std::vector<SourceFile> files_that(const std::function<bool(const SourceFile&)>& holds) {
  std::vector<SourceFile> found;
  std::copy_if(all_files().begin(), all_files().end(), std::back_inserter(found), holds);
  return found;
}

// Steps and checks directly in the folder; rooms below it are machines with tests of their own.
std::vector<std::string> stems_in(const std::string& folder, const std::set<std::string>& except) {
  std::vector<std::string> stems;
  for (const SourceFile& file : all_files()) {
    const std::filesystem::path path{file.path};
    if (path.parent_path() != folder || path.extension() != ".cpp") continue;
    if (!except.contains(path.stem())) stems.push_back(path.stem());
  }
  return stems;
}

// This folder does not count: naming a step in a rule tests nothing.
bool is_named_in_a_test(const std::string& stem) {
  return std::any_of(all_files().begin(), all_files().end(), [&](const SourceFile& file) {
    return is_test(file) && !file.path.starts_with("tests/layout/") && is_named_in(stem, file.text);
  });
}

TEST(Layout, FilesOfTheProjectAreFound) {
  ASSERT_FALSE(files_that(is_product).empty()) << "no sources below " << VERDIGRIS_SOURCE_DIR;
}

TEST(Layout, FoldersFormALine) {
  for (const SourceFile& file : files_that(is_cpp)) {
    for (const std::string& include : wrong_includes(file)) {
      ADD_FAILURE() << file.path << ", " << include
                    << ": controller -> healthcheck -> replication -> libpq is the line, "
                    << "and logging, YAML, JSON and processes belong to controller; take the need as an argument "
                    << "or a callback";
    }
  }
}

TEST(Layout, NoFileIsTooLong) {
  for (const SourceFile& file : files_that(is_cpp)) {
    EXPECT_LE(count_lines(file.text), kMaxFileLines) << file.path << ": split it by what changes together";
  }
}

TEST(Layout, MedianFileIsShort) {
  std::vector<int> lengths;
  for (const SourceFile& file : files_that(is_product)) lengths.push_back(count_lines(file.text));
  EXPECT_LE(median(lengths), kMaxMedianFileLines) << "the typical file has grown too long: one concept, one file";
}

TEST(Layout, NoFunctionIsTooLong) {
  for (const SourceFile& file : files_that(is_cpp)) {
    for (const Function& function : functions_of(file.text)) {
      EXPECT_LE(function.lines, kMaxFunctionLines)
          << file.path << ":" << function.line << ": " << function.head << ": give its parts names of their own";
    }
  }
}

TEST(Layout, MedianFunctionIsShort) {
  std::vector<int> lengths;
  for (const SourceFile& file : files_that(is_product)) {
    for (const Function& function : functions_of(file.text)) lengths.push_back(function.lines);
  }
  EXPECT_LE(median(lengths), kMaxMedianFunctionLines) << "the typical function has grown too long";
}

TEST(Layout, EveryStepIsNamedInATest) {
  for (const std::string& stem : stems_in("controller/steps", {})) {
    EXPECT_TRUE(is_named_in_a_test(stem)) << "controller/steps/" << stem << ".cpp: no file below tests/ names it; "
                                          << "add a test of what it does, named after it";
  }
}

TEST(Layout, EveryCheckIsNamedInATest) {
  for (const std::string& stem : stems_in("healthcheck", {"check", "checks", "report"})) {
    EXPECT_TRUE(is_named_in_a_test(stem)) << "healthcheck/" << stem << ".cpp: no file below tests/ names it; "
                                          << "add a test in which it says no";
  }
}

TEST(Layout, EveryTestFileIsInTheBuild) {
  std::ifstream list{VERDIGRIS_BUILD_DIR "/tests_in_build.txt"};
  ASSERT_TRUE(list) << "the build writes " VERDIGRIS_BUILD_DIR "/tests_in_build.txt";
  std::set<std::string> built;
  for (std::string line; std::getline(list, line);) built.insert(line);
  for (const SourceFile& file : files_that(is_test)) {
    if (!file.path.ends_with("_test.cpp")) continue;
    EXPECT_TRUE(built.contains(file.path)) << file.path << ": not in the build; put it into a folder that "
                                           << "tests/CMakeLists.txt knows as a label, and configure again";
  }
}

TEST(Layout, WaitingForAProcessHasOnePlace) {
  for (const SourceFile& file : files_that(is_cpp)) {
    EXPECT_FALSE(has_banned_wait(file)) << file.path << ": wait_for and wait_until of Boost.Process crash in programs "
                                        << "with threads; use the wrapper in controller/process.hpp";
  }
}

TEST(Layout, NoFileNamesAMachine) {
  for (const SourceFile& file : all_files()) {
    if (file.text.find('\0') != std::string::npos) continue;
    EXPECT_FALSE(has_machine_path(file.text))
        << file.path << ": holds an absolute path of somebody's machine; write it "
        << "relative to the project or ask the environment";
  }
}

TEST(Layout, EveryHeaderOpensWithItsContract) {
  for (const SourceFile& file : files_that(is_header)) {
    EXPECT_GT(opening_comment_lines(file.text), 0)
        << file.path << ": begin with what it is, who owns it, which thread, in 2-6 lines of // comment";
  }
}

TEST(Layout, LockFilesHoldNoAddresses) {
  const std::string address = std::string{"\"resolved\""} + ": \"http";
  for (const SourceFile& file : all_files()) {
    if (!file.path.ends_with("package-lock.json")) continue;
    EXPECT_EQ(file.text.find(address), std::string::npos)
        << file.path << ": names a registry; make it again beside a .npmrc with omit-lockfile-registry-resolved=true";
  }
}

}  // namespace
}  // namespace verdigris::layout
