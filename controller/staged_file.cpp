#include "controller/staged_file.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "replication/errors.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStaged = ".verdigris-staged";
constexpr const char* kTrial = ".verdigris-trial";
constexpr const char* kBackup = ".verdigris-backup";
constexpr const char* kAcl = "system.posix_acl_access";
constexpr off_t kMostBytes = 16 * 1024 * 1024;

[[noreturn]] void fail(const fs::path& file, const std::string& what) {
  const std::string why = std::strerror(errno);
  throw Error("pooler.file", "file \"" + file.string() + "\": " + what + ": " + why,
              "Run verdigris as a user who may read and replace PgBouncer's file, and write into its directory.");
}

class Descriptor {
 public:
  Descriptor(const fs::path& file, int flags, mode_t mode = 0)
      : file_(file), number_(::open(file.c_str(), flags | O_CLOEXEC, mode)) {
    if (number_ < 0) fail(file_, "cannot open");
  }
  ~Descriptor() { ::close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  void sync() const {
    if (::fsync(number_) != 0) fail(file_, "cannot fsync");
  }
  struct stat status() const {
    struct stat result {};
    if (::fstat(number_, &result) != 0) fail(file_, "cannot stat");
    return result;
  }

 private:
  fs::path file_;
  int number_;
};

std::string read_whole(const fs::path& file) {
  const Descriptor descriptor(file, O_RDONLY | O_NOFOLLOW);
  const auto status = descriptor.status();
  if (!S_ISREG(status.st_mode) || status.st_size > kMostBytes)
    throw Error("pooler.file", "file \"" + file.string() + "\" is not a regular file of at most 16 MiB",
                "Name PgBouncer's configuration file in the playbook.");
  std::string bytes;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t count = ::read(descriptor.number(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(file, "cannot read");
    if (count == 0) return bytes;
    bytes.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

std::optional<std::string> read_if_present(const fs::path& file) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return read_whole(file);
}

void write_whole(const Descriptor& descriptor, const fs::path& file, const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(descriptor.number(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(file, "cannot write");
    done += static_cast<std::size_t>(count);
  }
}

// A default ACL of the directory would give a new file entries that the old one lacks: those are removed.
void copy_acl(const Descriptor& from, const Descriptor& to, const fs::path& file) {
  std::vector<char> acl(65536);
  const ssize_t size = ::fgetxattr(from.number(), kAcl, acl.data(), acl.size());
  if (size >= 0) {
    if (::fsetxattr(to.number(), kAcl, acl.data(), static_cast<std::size_t>(size), 0) != 0)
      fail(file, "cannot copy the access control list");
    return;
  }
  if (errno != ENODATA && errno != ENOTSUP) fail(file, "cannot read the access control list");
  if (::fremovexattr(to.number(), kAcl) != 0 && errno != ENODATA && errno != ENOTSUP)
    fail(file, "cannot remove the inherited access control list");
}

// In this order: nobody can read the new file before it has the old one's owner, and chown() clears mode bits.
void copy_permissions(const Descriptor& from, const Descriptor& to, const fs::path& file) {
  const auto wanted = from.status();
  const auto present = to.status();
  if ((wanted.st_uid != present.st_uid || wanted.st_gid != present.st_gid) &&
      ::fchown(to.number(), wanted.st_uid, wanted.st_gid) != 0)
    fail(file, "cannot give it to the owner of the file it replaces");
  copy_acl(from, to, file);
  if (::fchmod(to.number(), wanted.st_mode & 07777U) != 0) fail(file, "cannot set its mode");
}

void remove_if_present(const fs::path& file) {
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) fail(file, "cannot remove");
}

void sync_directory(const fs::path& directory) {
  Descriptor(directory, O_RDONLY | O_DIRECTORY).sync();
}

void write_like(const Descriptor& old, const fs::path& file, const std::string& bytes) {
  remove_if_present(file);
  const Descriptor fresh(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  write_whole(fresh, file, bytes);
  copy_permissions(old, fresh, file);
  fresh.sync();
}

// One level: what lies above is the operator's.
void make_directory_like(const fs::path& directory, const fs::path& like) {
  if (::mkdir(directory.c_str(), S_IRWXU) != 0) {
    if (errno == EEXIST) return;
    fail(directory, "cannot make the directory");
  }
  copy_permissions(Descriptor(like, O_RDONLY | O_DIRECTORY), Descriptor(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), directory);
  sync_directory(directory.parent_path());
}

[[noreturn]] void refuse_foreign_edit(const fs::path& file) {
  throw Refused("pooler.foreign-edit", "file \"" + file.string() + "\" was changed by somebody else meanwhile",
                "See what changed (the bytes from before are in \"" + file.string() + kBackup +
                    "\") and start again; the edit was not touched.");
}

}  // namespace

std::string sha256(const std::string& bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    throw Error("digest", "OpenSSL cannot compute SHA-256");
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4U];
    text += kDigits[digest[i] & 15U];
  }
  return text;
}

StagedFile::StagedFile(const fs::path& file) {
  std::error_code error;
  file_ = fs::canonical(file, error);
  if (error)
    throw Error("pooler.file", "file \"" + file.string() + "\": " + error.message(),
                "Name PgBouncer's configuration file in the playbook.");
  const fs::path directory = fs::canonical(fs::absolute(file).parent_path());
  if (file_.parent_path() != directory)
    throw Refused("pooler.ini-link", "file \"" + file.string() + "\" is a link to \"" + file_.string() + "\"",
                  "Name the file itself in the playbook, or let the link stay in its directory.");
}

std::string StagedFile::read() const {
  return read_whole(file_);
}

fs::path StagedFile::beside(const char* suffix) const {
  return file_.string() + suffix;
}

void StagedFile::write_beside(const char* suffix, const std::string& bytes) const {
  write_like(Descriptor(file_, O_RDONLY | O_NOFOLLOW), beside(suffix), bytes);
}

// A link, and not a rename, because that would replace what lies there.
void StagedFile::create(const fs::path& file, const std::string& bytes, const fs::path& like) {
  const fs::path directory = file.parent_path();
  make_directory_like(directory, like.parent_path());
  const fs::path fresh = file.string() + kStaged;
  write_like(Descriptor(like, O_RDONLY | O_NOFOLLOW), fresh, bytes);
  if (::link(fresh.c_str(), file.c_str()) != 0) fail(file, "cannot create");
  remove_if_present(fresh);
  sync_directory(directory);
}

// Exchanged and not only replaced: an edit that comes in just this moment is put back. Some file systems cannot.
void StagedFile::require_replaceable(const std::string& original) const {
  write_beside(kTrial, original);
  const auto trial = beside(kTrial);
  bool can_exchange = true;
  int result = ::renameat2(AT_FDCWD, trial.c_str(), AT_FDCWD, file_.c_str(), RENAME_EXCHANGE);
  if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {
    can_exchange = false;
    result = ::rename(trial.c_str(), file_.c_str());
  }
  if (result != 0) {
    const std::string why = std::strerror(errno);
    remove_if_present(trial);
    throw Refused("pooler.file-replace", "file \"" + file_.string() + "\" cannot be replaced: " + why,
                  "A file that is mounted by itself or immutable cannot be: mount its directory instead, take chattr +i away, "
                  "or let the databases stand in an included file elsewhere: verdigris pooler adopt.");
  }
  if (!can_exchange) return;
  if (const auto former = read_if_present(trial); former != original) {
    if (former) ::renameat2(AT_FDCWD, trial.c_str(), AT_FDCWD, file_.c_str(), RENAME_EXCHANGE);
    remove_if_present(trial);
    refuse_foreign_edit(file_);
  }
  remove_if_present(trial);
}

void StagedFile::stage(const std::string& original, const std::string& bytes) {
  const std::string current = read();
  if (current != original) refuse_foreign_edit(file_);
  const bool is_ours = staged_ && staged_->bytes == bytes && staged_->original_digest == sha256(original);
  staged_ = Staged{sha256(original), sha256(bytes), bytes};
  if (current == bytes) return remove_if_present(beside(kStaged));
  // A leftover of a crashed run may lack its fsync or its mode: only what this object wrote is believed.
  if (is_ours && read_if_present(beside(kStaged)) == bytes) return;
  require_replaceable(original);
  write_beside(kBackup, original);
  write_beside(kStaged, bytes);
  sync_directory(file_.parent_path());
}

void StagedFile::rename_into_place() {
  if (!staged_) throw Error("pooler.file", "file \"" + file_.string() + "\": nothing was staged to take its place");
  // Somebody may have removed or damaged what was staged; it is written again rather than believed.
  if (const auto ready = read_if_present(beside(kStaged)); !ready || sha256(*ready) != staged_->digest) {
    if (sha256(read()) == staged_->digest) return;
    write_beside(kStaged, staged_->bytes);
  }
  const std::string current = sha256(read());
  if (current == staged_->digest) return remove_if_present(beside(kStaged));
  if (current != staged_->original_digest) refuse_foreign_edit(file_);
  crash_point("before:pooler-rename");
  if (::rename(beside(kStaged).c_str(), file_.c_str()) != 0) fail(file_, "cannot rename the staged file over it");
  crash_point("after:pooler-rename");
}

void StagedFile::settle() const { sync_directory(file_.parent_path()); }

void StagedFile::require_unedited() const {
  if (!staged_) return;
  const std::string current = sha256(read());
  if (current != staged_->original_digest && current != staged_->digest) refuse_foreign_edit(file_);
}

bool StagedFile::is_as_before() const {
  return staged_ && staged_->digest != staged_->original_digest && sha256(read()) == staged_->original_digest;
}

void StagedFile::discard() {
  staged_.reset();
  remove_if_present(beside(kStaged));
  remove_if_present(beside(kTrial));
  const auto backup = read_if_present(beside(kBackup));
  if (backup && *backup == read()) remove_if_present(beside(kBackup));
}

void StagedFile::remove_backup() const { remove_if_present(beside(kBackup)); }

}  // namespace verdigris
