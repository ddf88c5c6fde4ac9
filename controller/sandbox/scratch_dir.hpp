// A folder below the temporary one, short enough for sockets, removed with the object. Others may enter it, because
// servers of another user have their directories there.
#pragma once

#include <filesystem>
#include <string>

namespace verdigris {

class ScratchDir {
 public:
  // The folder's name begins with `prefix`. Throws Error("file").
  explicit ScratchDir(const std::string& prefix);
  ~ScratchDir();
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace verdigris
