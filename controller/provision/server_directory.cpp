#include "controller/provision/server_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>
#include <sstream>
#include <vector>

#include "replication/errors.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMarkerFile = "verdigris.provision";
constexpr std::array<const char*, 4> kStates{"loading", "production", "dropped", "lost"};
constexpr std::array<const char*, 3> kProfiles{"full", "keep-fsync", "off"};

[[noreturn]] void fail_about(const fs::path& file, const std::string& what) {
  const std::string why = std::strerror(errno);
  throw Error("file", file.string() + ": " + what + ": " + why,
              "verdigris must be able to write beside green's data directory and in it.");
}

void sync_path(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_synced = fd >= 0 && ::fsync(fd) == 0;
  const int reason = errno;
  if (fd >= 0) ::close(fd);
  errno = reason;
  if (!is_synced) fail_about(path, "cannot fsync");
}

// Never through a link: whoever runs the server owns the directory, and we may be root.
void write_new(const fs::path& file, const std::string& text, const ServerUser& user) {
  ::unlink(file.c_str());
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  // By its descriptor: by the name it might be another one by then.
  const bool is_written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                          user.own(fd) && ::fsync(fd) == 0;
  const int reason = errno;
  if (fd >= 0) ::close(fd);
  errno = reason;
  if (!is_written) fail_about(file, "cannot write");
}

bool is_empty_or_absent(const fs::path& directory) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(directory, error))) return true;
  if (!fs::is_directory(directory, error)) return false;
  const bool is_empty = fs::is_empty(directory, error);
  if (error)
    throw Error("file", directory.string() + ": cannot look into it: " + error.message(),
                "Run verdigris as a user who may.");
  return is_empty;
}

void remove_tree(const fs::path& directory) {
  std::error_code error;
  fs::remove_all(directory, error);
  if (error)
    throw Error("file", directory.string() + ": cannot be removed: " + error.message(),
                "Remove it by hand, then repeat the command.");
}

// The marker goes last: killed in the midst of it, what is left is still ours.
void remove_marked_tree(const fs::path& directory) {
  std::error_code none_there;
  std::vector<fs::path> others;
  for (const auto& entry : fs::directory_iterator(directory, none_there))
    if (entry.path().filename() != kMarkerFile) others.push_back(entry.path());
  for (const auto& other : others) remove_tree(other);
  remove_tree(directory);
}

std::size_t index_in(std::span<const char* const> words, const std::string& word, const fs::path& file) {
  for (std::size_t i = 0; i < words.size(); ++i)
    if (word == words[i]) return i;
  throw Refused("provision.marker", file.string() + " says \"" + word + "\", which this version does not understand",
                "Use the version of verdigris that made this green, or remove the directory if nobody needs it.");
}

std::string text_of_marker(const GreenMarker& marker) {
  std::ostringstream text;
  text << "deployment " << marker.deployment << "\nstate " << kStates.at(static_cast<std::size_t>(marker.state))
       << "\nprofile " << kProfiles.at(static_cast<std::size_t>(marker.profile)) << "\nboot " << marker.boot
       << "\nserver " << marker.server << "\n";
  return text.str();
}

GreenMarker marker_of_file(const fs::path& file) {
  GreenMarker marker;
  std::istringstream in(read_own_file(file));
  for (std::string line; std::getline(in, line);) {
    const auto blank = line.find(' ');
    const std::string key = line.substr(0, blank);
    const std::string value = blank == std::string::npos ? "" : line.substr(blank + 1);
    if (key == "deployment") marker.deployment = value;
    if (key == "state") marker.state = static_cast<GreenState>(index_in(kStates, value, file));
    if (key == "profile") marker.profile = static_cast<LoadProfile>(index_in(kProfiles, value, file));
    if (key == "boot") marker.boot = value;
    if (key == "server") marker.server = value;
  }
  return marker;
}

}  // namespace

// Not through a link either, so that nobody is shown what only root may read; a pipe would wait for its other end.
std::string read_own_file(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return {};
  std::string text;
  std::array<char, 8192> buffer{};
  struct stat kind {};
  if (::fstat(fd, &kind) == 0 && S_ISREG(kind.st_mode))
    for (ssize_t count = 0; (count = ::read(fd, buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<std::size_t>(count));
  ::close(fd);
  return text;
}

std::string boot_of_machine() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

ServerDirectory::ServerDirectory(fs::path path, std::string deployment, ServerUser user)
    : path_(std::move(path)), deployment_(std::move(deployment)), user_(std::move(user)) {}

fs::path ServerDirectory::workshop() const {
  return path_.string() + ".verdigris";
}

std::optional<GreenMarker> ServerDirectory::marker_in(const fs::path& directory) const {
  std::error_code ignored;
  if (!fs::is_regular_file(fs::symlink_status(directory / kMarkerFile, ignored))) return std::nullopt;
  auto marker = marker_of_file(directory / kMarkerFile);
  return marker.deployment == deployment_ ? std::optional(std::move(marker)) : std::nullopt;
}

bool ServerDirectory::is_free() const {
  if (marker_in(path_)) return false;
  if (is_empty_or_absent(path_)) return true;
  throw Refused(
      "provision.directory",
      path_.string() + " is not empty and was not made by verdigris for \"" + deployment_ +
          "\": nothing was written there",
      "Name another provision.data_directory; or, if that server is green, write provision: { green: existing }.");
}

std::optional<GreenMarker> ServerDirectory::marker() const {
  if (is_free()) return std::nullopt;
  return marker_in(path_);
}

// Empty without a marker: killed before it was written. It stays ours, so that whoever runs the server, a directory of
// whose is made in it, cannot put another in its place.
fs::path ServerDirectory::fresh_workshop() const {
  const auto place = workshop();
  if (!marker_in(place) && !is_empty_or_absent(place))
    throw Refused("provision.directory", place.string() + " is not empty and not ours, and green is made there",
                  "Move it away, or name another provision.data_directory.");
  remove_marked_tree(place);
  std::error_code error;
  fs::create_directories(place, error);
  if (!error) fs::permissions(place, fs::perms(0711), error);
  if (error)
    throw Error("file", place.string() + ": cannot be created: " + error.message(), "Run verdigris as a user who may.");
  write(place, kMarkerFile, text_of_marker({deployment_, GreenState::loading, LoadProfile::full, "", ""}));
  return place;
}

void ServerDirectory::move_in(const fs::path& made, const GreenMarker& marker) const {
  write(made, kMarkerFile, text_of_marker(marker));
  crash_point("provision:made");
  if (::rename(made.c_str(), path_.c_str()) != 0) {
    const std::string why = std::strerror(errno);
    throw Error("provision.directory",
                path_.string() + ": the new cluster cannot be moved there from " + made.string() + ": " + why,
                "It must be no mount point and no link: name a directory below it.");
  }
  sync_path(path_.parent_path());
  crash_point("provision:moved");
  remove_marked_tree(workshop());
}

void ServerDirectory::clear_workshop() const {
  if (marker_in(workshop())) remove_marked_tree(workshop());
}

void ServerDirectory::throw_away() const {
  if (!marker_in(path_)) return;
  const auto away = fresh_workshop() / "thrown-away";
  if (::rename(path_.c_str(), away.c_str()) != 0) fail_about(path_, "cannot be moved to " + away.string());
  crash_point("provision:thrown-away");
  remove_marked_tree(workshop());
}

std::string ServerDirectory::read(const fs::path& directory, const std::string& name) const {
  return read_own_file(directory / name);
}

void ServerDirectory::write(const fs::path& directory, const std::string& name, const std::string& text) const {
  const fs::path file = directory / name, fresh = directory / (name + ".new");
  write_new(fresh, text, user_);
  if (::rename(fresh.c_str(), file.c_str()) != 0) fail_about(file, "cannot replace");
  sync_path(directory);
}

void ServerDirectory::write_marker(const GreenMarker& marker) const {
  write(path_, kMarkerFile, text_of_marker(marker));
}

void ServerDirectory::remove_marker() const { remove(kMarkerFile); }

void ServerDirectory::remove(const std::string& name) const { remove(path_, name); }

void ServerDirectory::remove(const fs::path& directory, const std::string& name) const {
  const fs::path file = directory / name;
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) fail_about(file, "cannot remove");
  sync_path(directory);
}

void ServerDirectory::replace(const std::string& name, const std::string& by) const {
  if (::rename((path_ / by).c_str(), (path_ / name).c_str()) != 0 && errno != ENOENT)
    fail_about(path_ / name, "cannot replace");
  sync_path(path_);
}

std::string ServerDirectory::server() const {
  std::istringstream file(read_own_file(path_ / "postmaster.pid"));
  std::string pid, ignored, start;
  if (!std::getline(file, pid) || !std::getline(file, ignored) || !std::getline(file, start)) return {};
  return pid + " " + start;
}

}  // namespace verdigris
