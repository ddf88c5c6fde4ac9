#include "controller/sandbox/scratch_dir.hpp"

#include <stdlib.h>

#include "replication/errors.hpp"

namespace verdigris {

namespace fs = std::filesystem;

ScratchDir::ScratchDir(const std::string& prefix) {
  std::string pattern = (fs::temp_directory_path() / (prefix + "XXXXXX")).string();
  if (::mkdtemp(pattern.data()) == nullptr)
    throw Error("file", pattern + ": cannot create the directory", "Check TMPDIR and the space left there.");
  path_ = pattern;
  fs::permissions(path_, fs::perms(0755));
}

ScratchDir::~ScratchDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace verdigris
