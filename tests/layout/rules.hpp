// The rules of the house that need more than counting, each a function of one file, so that a test can show that it
// fails on a file that breaks it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace verdigris::layout {

struct SourceFile {
  std::string path;  // from the project's root
  std::string text;
};

// Includes that go against controller -> healthcheck -> replication -> libpq, each as "line N: path".
std::vector<std::string> wrong_includes(const SourceFile& file);

// Whether child::wait_for, wait_until or group::wait_for of Boost.Process is used outside controller/process.cpp.
// They crash in programs with threads (https://github.com/boostorg/process/issues/168).
bool has_banned_wait(const SourceFile& file);

// Whether the text holds an absolute path that exists only on somebody's machine.
bool has_machine_path(std::string_view text);

// Whether the text names the file with this stem: fence_source or FenceSource, as a whole word.
bool is_named_in(const std::string& stem, const std::string& text);

// Every file of the project: known to git, or not ignored by it; without git, all but the folders of builds.
std::vector<SourceFile> project_files(const std::string& root);

}  // namespace verdigris::layout
