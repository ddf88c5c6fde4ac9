// The files of one PgBouncer process: the main file, and the included one of ours, if pooler adopt made it. What a switch
// changes is one of the two: the one that defines the databases. Used by one thread at a time; nothing is read before it
// is asked for.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "controller/ini_file.hpp"
#include "controller/playbook.hpp"
#include "controller/staged_file.hpp"

namespace verdigris {

class PoolerFiles {
 public:
  PoolerFiles(const PoolerInstance& settings, std::vector<std::string> aliases)
      : main_name_(settings.file), included_name_(settings.include), aliases_(std::move(aliases)) {}

  // Where relative names of %include begin: the directory of the process.
  void read_relative_to(const std::filesystem::path& cwd) { cwd_ = cwd; }
  // The main file, links resolved. Throws Error "pooler.file", Refused "pooler.ini-link".
  const std::filesystem::path& path() { return main().path(); }
  const std::filesystem::path& included_name() const { return included_name_; }
  IniFile read();
  // Throws Refused "pooler.partly-adopted" if the databases are defined in both.
  bool is_adopted(const IniFile& ini) const;
  // Throws the same, and Refused "pooler.half-adopted" if the included file lies there and the main file does not read
  // it: what it says would be old once it does.
  void require_whole(const IniFile& ini) const;

  struct Change {
    std::string file, before, after;
  };
  // What sending all databases to target would change. Throws as IniFile and is_adopted() do.
  Change change_to(const Endpoint& target);
  // Lays it ready beside the file, fsynced, so that only a rename remains.
  void stage(const Endpoint& target);
  // Renames it into place. A foreign edit since stage() is kept, with our lines put into it: below the line.
  // Not durable before settle().
  void move(const Endpoint& target);
  void settle();
  bool is_staged_for(const Endpoint& target) const { return staged_for_ == target; }
  // Whether the file names the target; false too if that cannot be told.
  bool holds(const Endpoint& target);
  void discard();
  // What stage() saw is still what the files hold; throws Refused "pooler.foreign-edit".
  void require_unedited();

 private:
  StagedFile& main();
  StagedFile& included();
  StagedFile& edited(const IniFile& ini) { return is_adopted(ini) ? included() : main(); }
  StagedFile& staged() { return is_included_staged_ ? included() : main(); }
  IniFile parse(const std::string& bytes, const std::optional<std::string>& included_bytes) const;

  std::filesystem::path main_name_, included_name_, cwd_;
  std::vector<std::string> aliases_;
  std::optional<StagedFile> main_, included_;
  std::optional<Endpoint> staged_for_;
  bool is_included_staged_ = false;  // which of the two
  std::string main_as_staged_;    // digest: an included file counts only as long as the main file reads it
};

}  // namespace verdigris
