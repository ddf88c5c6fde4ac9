// A file that is replaced whole: the new one is written and fsynced beside it long before, so that only a rename
// remains in the pause (operator.md 8.3, faults S13). The new file has owner, group, mode and ACL of the old and is
// never readable by more people than it. Nobody else's edit is lost: the old bytes are compared right before the
// rename. Used by one thread at a time; the files outlive the object, and a crashed run's leftovers are replaced.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace verdigris {

// Lower-case hexadecimal.
std::string sha256(const std::string& bytes);

class StagedFile {
 public:
  // Follows a symbolic link that stays in its directory; throws Refused "pooler.ini-link" for one that leaves it (a
  // rename there would go around whoever manages the link), Error "pooler.file" if the file cannot be found.
  explicit StagedFile(const std::filesystem::path& file);

  // A file that is not there yet, with owner, group, mode and ACL of `like`, fsynced; its directory too if that is
  // missing, like that of `like`. Throws Error "pooler.file", also if there is something of that name.
  static void create(const std::filesystem::path& file, const std::string& bytes, const std::filesystem::path& like);

  // The file itself, links resolved.
  const std::filesystem::path& path() const { return file_; }
  // Throws Error "pooler.file".
  std::string read() const;

  // Writes bytes to <file>.verdigris-staged and the original to <file>.verdigris-backup, both fsynced. original is what
  // the caller made bytes from; throws Refused "pooler.foreign-edit" if the file holds something else by now. Then the file
  // is replaced once by a copy of itself: one that cannot be (a mount of its own, an immutable one) is found now and not
  // when clients wait; Refused "pooler.file-replace". Idempotent; nothing to do if the file holds bytes already.
  void stage(const std::string& original, const std::string& bytes);
  // Renames the staged file over the file; success if the file holds the staged bytes already. Until settle() a crash of
  // the machine may bring the old one back.
  // Throws Refused "pooler.foreign-edit" if the file is not what stage() saw, Error "pooler.file" if nothing was
  // staged.
  void rename_into_place();
  // Makes the rename durable: fsyncs the directory. Throws Error "pooler.file".
  void settle() const;
  // Both.
  void move_into_place() {
    rename_into_place();
    settle();
  }
  // Throws Refused "pooler.foreign-edit" if the file is neither what stage() saw nor what it laid ready.
  void require_unedited() const;
  // It is what stage() saw, and that is not what was laid ready.
  bool is_as_before() const;
  // Forgets what was staged, also by an earlier run; a backup is removed if it says nothing that the file does not.
  void discard();
  // For one that holds what nobody is to put back.
  void remove_backup() const;

 private:
  struct Staged {
    std::string original_digest;
    std::string digest;
    std::string bytes;
  };
  std::filesystem::path beside(const char* suffix) const;
  void write_beside(const char* suffix, const std::string& bytes) const;
  void require_replaceable(const std::string& original) const;

  std::filesystem::path file_;
  std::optional<Staged> staged_;
};

}  // namespace verdigris
