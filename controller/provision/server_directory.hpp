// The data directory of a green that verdigris made: whose it is and how far it is, by a marker file in it. A directory
// without our marker is never written to nor removed. It comes into being whole, by a rename. Owned by one thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "controller/playbook.hpp"
#include "controller/sandbox/server_user.hpp"

namespace verdigris {

// loading: what is in it may be lost with a crash. dropped: by abandon --drop-green, nobody needs it any more. lost: what it
// held could not be made durable.
enum class GreenState { loading, production, dropped, lost };

struct GreenMarker {
  std::string deployment;
  GreenState state = GreenState::loading;
  LoadProfile profile = LoadProfile::full;
  std::string boot;    // of the machine, when we last started the server
  std::string server;  // pid and start of its postmaster; empty from before we start it until it is known
};

class ServerDirectory {
 public:
  ServerDirectory(std::filesystem::path path, std::string deployment, ServerUser user);

  const std::filesystem::path& path() const { return path_; }
  // Nothing there, or an empty directory. Throws Refused "provision.directory" if it holds what is not ours, also if
  // another deployment's marker is in it.
  bool is_free() const;
  // Of one that is ours; nothing if it is free.
  std::optional<GreenMarker> marker() const;

  // A directory beside it in which a cluster is made, empty and ours. What a killed run left there is removed.
  std::filesystem::path fresh_workshop() const;
  // Removes what a run left there that was killed after it had made the directory.
  void clear_workshop() const;
  // Makes what was made there the data directory, with its marker, on disk; the workshop is gone afterwards.
  void move_in(const std::filesystem::path& made, const GreenMarker& marker) const;
  // Out of the way at once, then removed. Only with our marker.
  void throw_away() const;

  // Files in it, or in one that is still being made: theirs and 0600, replaced whole and fsynced. Throws Error "file".
  void write(const std::filesystem::path& directory, const std::string& name, const std::string& text) const;
  std::string read(const std::filesystem::path& directory, const std::string& name) const;  // empty if it is not there
  void write_marker(const GreenMarker& marker) const;
  void remove_marker() const;  // from then on it is not ours
  void remove(const std::string& name) const;
  void remove(const std::filesystem::path& directory, const std::string& name) const;  // nothing if it is not there
  // `by` takes the place of `name`; nothing if it has done so already.
  void replace(const std::string& name, const std::string& by) const;
  // "<pid> <second of its start>" of the postmaster.pid that is there; empty if there is none.
  std::string server() const;

 private:
  std::filesystem::path workshop() const;
  std::optional<GreenMarker> marker_in(const std::filesystem::path& directory) const;

  std::filesystem::path path_;
  std::string deployment_;
  ServerUser user_;
};

// A regular file that no link leads to; empty if there is none.
std::string read_own_file(const std::filesystem::path& file);

// Another one after each start of the machine.
std::string boot_of_machine();

}  // namespace verdigris
