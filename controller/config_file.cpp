#include "controller/config_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "replication/errors.hpp"

namespace verdigris {

namespace {

constexpr std::size_t kLargest = std::size_t{1} << 20;

std::string reason(int code) {
  return std::generic_category().message(code);
}

std::string kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFIFO:
      return "a FIFO";
    case S_IFSOCK:
      return "a socket";
    case S_IFCHR:
      return "a character device";
    case S_IFBLK:
      return "a block device";
    default:
      return "not a regular file";
  }
}

// What a file is for, in messages.
struct Use {
  std::string id, what;
  mode_t forbidden;          // permission bits
  std::string forbidden_to;  // "writable by group or others"
  std::string repair;        // chmod argument
};

const Use kPlaybookFile{"playbook-file", "playbook", S_IWGRP | S_IWOTH, "writable by group or others", "go-w"};
const Use kPassfile{"passfile", "passfile", S_IRWXG | S_IRWXO, "open to group or others", "0600"};

struct Refusal {
  const Use& use;
  const std::filesystem::path& file;
  Error operator()(const std::string& why, const std::string& hint = {}) const {
    return {use.id, fmt::format("{} \"{}\" {}", use.what, file.string(), why), hint, Failure::usage};
  }
};

void check(const struct stat& status, const Refusal& refuse) {
  const std::string name = refuse.file.string();
  const auto mode = fmt::format("mode {:04o}", status.st_mode & 07777U);
  if (!S_ISREG(status.st_mode)) throw refuse(fmt::format("is {} ({})", kind_of(status.st_mode), mode));
  const bool is_foreign = status.st_uid != geteuid() && status.st_uid != 0 && geteuid() != 0;
  if (is_foreign)
    throw refuse(fmt::format("belongs to uid {}, and we are uid {} ({})", status.st_uid, geteuid(), mode));
  if ((status.st_mode & refuse.use.forbidden) != 0)
    throw refuse(fmt::format("is {} ({})", refuse.use.forbidden_to, mode),
                 fmt::format("chmod {} {}", refuse.use.repair, name));
}

struct stat status_of(const Refusal& refuse) {
  struct stat status {};
  if (stat(refuse.file.c_str(), &status) != 0) {
    const int code = errno;
    throw refuse(code == ENOENT ? "does not exist" : "cannot be read: " + reason(code));
  }
  check(status, refuse);
  return status;
}

struct FileDescriptor {
  int number;
  ~FileDescriptor() { close(number); }
};

}  // namespace

std::string read_playbook_file(const std::filesystem::path& file) {
  const Refusal refuse{kPlaybookFile, file};
  status_of(refuse);  // before opening: opening a device can have effects
  const int number = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (number == -1) throw refuse("cannot be read: " + reason(errno));
  const FileDescriptor descriptor{number};
  struct stat status {};
  if (fstat(number, &status) != 0) throw refuse("cannot be read: " + reason(errno));
  check(status, refuse);  // the file that was opened, not one that stood there before
  std::string text(kLargest + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = read(number, text.data() + size, text.size() - size);
    if (count == -1 && errno == EINTR) continue;
    if (count == -1) throw refuse("cannot be read: " + reason(errno));
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size > kLargest) throw refuse("is larger than 1 MiB");
  text.resize(size);
  return text;
}

void check_passfile(const std::filesystem::path& file) {
  const Refusal refuse{kPassfile, file};
  if (!file.is_absolute()) throw refuse("is not an absolute path; libpq would look for it in the current directory");
  status_of(refuse);
  if (access(file.c_str(), R_OK) != 0) throw refuse("cannot be read: " + reason(errno));
}

}  // namespace verdigris
