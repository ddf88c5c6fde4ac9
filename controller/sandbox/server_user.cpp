#include "controller/sandbox/server_user.hpp"

#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "replication/errors.hpp"

namespace verdigris {

ServerUser::ServerUser(const std::string& name) : uid_(::geteuid()), gid_(::getegid()), is_other_(uid_ == 0) {
  if (!is_other_) return;
  const passwd* entry = ::getpwnam(name.c_str());
  if (entry == nullptr || entry->pw_uid == 0)
    throw Error("sandbox.user", "\"" + name + "\" is not an unprivileged user of this machine", "Name one with --user.",
                Failure::usage);
  uid_ = entry->pw_uid;
  gid_ = entry->pw_gid;
}

std::vector<std::string> ServerUser::argv(std::vector<std::string> argv, int death_signal) const {
  if (!is_other_) return argv;
  std::vector<std::string> result{"/usr/bin/setpriv", "--reuid=" + std::to_string(uid_),
                                  "--regid=" + std::to_string(gid_), "--clear-groups"};
  if (death_signal != 0) result.push_back("--pdeathsig=" + std::string(::sigabbrev_np(death_signal)));
  result.insert(result.end(), argv.begin(), argv.end());
  return result;
}

bool ServerUser::own(int descriptor) const { return !is_other_ || ::fchown(descriptor, uid_, gid_) == 0; }

void ServerUser::own(const std::filesystem::path& path) const {
  if (is_other_ && ::lchown(path.c_str(), uid_, gid_) != 0)
    throw Error("file", path.string() + ": cannot change the owner: " + std::strerror(errno));
}

void ServerUser::make_directory(const std::filesystem::path& path) const {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw Error("file", path.string() + ": cannot create the directory: " + error.message());
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  own(path);
}

}  // namespace verdigris
