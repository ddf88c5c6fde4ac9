// PostgreSQL and PgBouncer refuse to run as root. As root, their directories belong to an unprivileged user and each
// of their programs starts through setpriv; as anybody else all this does nothing. A value, any thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace verdigris {

class ServerUser {
 public:
  // Throws Error (usage) "sandbox.user" if there is no such user.
  explicit ServerUser(const std::string& name = "nobody");

  uid_t uid() const { return uid_; }
  // The argv that runs `argv` as this user. With a signal, the kernel sends it when the starting thread ends: setpriv
  // asks for it, because a change of user clears what the parent asked for.
  std::vector<std::string> argv(std::vector<std::string> argv, int death_signal = 0) const;
  bool own(int descriptor) const;                    // false, with errno
  void own(const std::filesystem::path& path) const;  // one file or directory, not what is below it
  // 0700, theirs; exists afterwards. Throws Error("file").
  void make_directory(const std::filesystem::path& path) const;

 private:
  uid_t uid_;
  gid_t gid_;
  bool is_other_;  // we are root and change user
};

}  // namespace verdigris
