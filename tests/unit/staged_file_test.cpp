#include "controller/staged_file.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;

class StagedFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "verdigris-staged-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    file_ = directory_ / "pgbouncer.ini";
    write(file_, "old");
  }
  void TearDown() override { fs::remove_all(directory_); }

  static void write(const fs::path& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  }
  static std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  fs::path staged() const { return file_.string() + ".verdigris-staged"; }
  fs::path backup() const { return file_.string() + ".verdigris-backup"; }

  template <class Act>
  static std::string refusal(Act act) {
    try {
      act();
    } catch (const Refused& error) {
      return error.id();
    }
    return "accepted";
  }

  fs::path directory_, file_;
};

TEST_F(StagedFileTest, OnlyTheRenameChangesTheFile) {
  StagedFile file(file_);
  file.stage("old", "new");
  EXPECT_EQ(read(file_), "old");
  EXPECT_EQ(read(staged()), "new");
  file.move_into_place();
  EXPECT_EQ(read(file_), "new");
  EXPECT_EQ(read(backup()), "old");
  EXPECT_FALSE(fs::exists(staged()));
  file.move_into_place();  // again: nothing to do
  EXPECT_EQ(read(file_), "new");
}

// As a container gives a single file to its process. In a process and a namespace of its own; false: this machine allows
// neither root nor users to have one.
bool with_mounted_file(const fs::path& file, const std::function<bool()>& holds, bool& is_kept) {
  const auto uid = std::to_string(::geteuid()), gid = std::to_string(::getegid());
  const auto child = ::fork();
  if (child == 0) {
    bool is_apart = ::geteuid() == 0 && ::unshare(CLONE_NEWNS) == 0;
    if (!is_apart && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) {
      std::ofstream("/proc/self/setgroups") << "deny";
      std::ofstream("/proc/self/uid_map") << uid << " " << uid << " 1";
      std::ofstream("/proc/self/gid_map") << gid << " " << gid << " 1";
      is_apart = true;
    }
    const bool is_mounted = is_apart && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                            ::mount(file.c_str(), file.c_str(), nullptr, MS_BIND, nullptr) == 0;
    ::_exit(!is_mounted ? 2 : holds() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  is_kept = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return !WIFEXITED(status) || WEXITSTATUS(status) != 2;
}

TEST_F(StagedFileTest, OneThatCannotBeReplacedIsRefusedBeforeClientsWait) {
  bool is_kept = false;
  const auto is_refused = [&] {
    StagedFile file(file_);
    std::string id, what;
    try {
      file.stage("old", "new");
    } catch (const Refused& error) {
      id = error.id();
      what = error.what();
    }
    const bool is_named = id == "pooler.file-replace" && what.find("cannot be replaced: ") != std::string::npos;
    return is_named && read(file_) == "old" && !fs::exists(staged()) && !fs::exists(file_.string() + ".verdigris-trial");
  };
  if (!with_mounted_file(file_, is_refused, is_kept)) GTEST_SKIP() << "nobody may mount a file on this machine";
  EXPECT_TRUE(is_kept);
}

TEST_F(StagedFileTest, LeavesNothingBesideOfTheTrial) {
  struct stat before {}, after {};
  ASSERT_EQ(::stat(file_.c_str(), &before), 0);
  StagedFile file(file_);
  file.stage("old", "new");
  ASSERT_EQ(::stat(file_.c_str(), &after), 0);
  EXPECT_NE(before.st_ino, after.st_ino) << "it was not tried";
  file.discard();
  EXPECT_EQ(read(file_), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator{}), 1);
}

TEST_F(StagedFileTest, KeepsModeAndOwner) {
  ASSERT_EQ(::chmod(file_.c_str(), 0640), 0);
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(file_.c_str(), 65534, 65534), 0);
  }
  struct stat before {};
  ASSERT_EQ(::stat(file_.c_str(), &before), 0);
  StagedFile file(file_);
  file.stage("old", "new");
  file.move_into_place();
  for (const fs::path& path : {file_, backup()}) {
    struct stat after {};
    ASSERT_EQ(::stat(path.c_str(), &after), 0);
    EXPECT_EQ(after.st_mode, before.st_mode) << path;
    EXPECT_EQ(after.st_uid, before.st_uid) << path;
    EXPECT_EQ(after.st_gid, before.st_gid) << path;
  }
}

TEST_F(StagedFileTest, AForeignEditIsRefusedAndKept) {
  StagedFile file(file_);
  EXPECT_EQ(refusal([&] { file.stage("not what it holds", "new"); }), "pooler.foreign-edit");
  EXPECT_FALSE(fs::exists(staged()));
  file.stage("old", "new");
  write(file_, "edited");
  EXPECT_EQ(refusal([&] { file.move_into_place(); }), "pooler.foreign-edit");
  EXPECT_EQ(read(file_), "edited");
}

TEST_F(StagedFileTest, SomebodyElsesEditToTheSameBytesIsSuccess) {
  StagedFile file(file_);
  file.stage("old", "new");
  write(file_, "new");
  file.move_into_place();
  EXPECT_EQ(read(file_), "new");
  EXPECT_FALSE(fs::exists(staged()));
}

TEST_F(StagedFileTest, LeftoversOfACrashedRunAreReplaced) {
  write(staged(), "of another plan");
  fs::create_symlink("/etc/passwd", backup());
  StagedFile file(file_);
  file.stage("old", "new");
  EXPECT_EQ(read(staged()), "new");
  EXPECT_FALSE(fs::is_symlink(backup()));
  fs::remove(staged());
  file.move_into_place();  // what was staged is written again
  EXPECT_EQ(read(file_), "new");
}

TEST_F(StagedFileTest, DiscardLeavesNothingBehind) {
  StagedFile file(file_);
  file.stage("old", "new");
  file.discard();
  EXPECT_EQ(read(file_), "old");
  EXPECT_FALSE(fs::exists(staged()));
  EXPECT_FALSE(fs::exists(backup()));
  file.stage("old", "new");
  file.move_into_place();
  file.discard();
  EXPECT_EQ(read(backup()), "old") << "the way back to the old bytes stays";
}

TEST_F(StagedFileTest, NothingToDoIfTheFileHoldsTheBytesAlready) {
  StagedFile file(file_);
  file.stage("old", "old");
  EXPECT_FALSE(fs::exists(staged()));
  file.move_into_place();
  EXPECT_EQ(read(file_), "old");
}

TEST_F(StagedFileTest, ALinkMayNotLeaveItsDirectory) {
  const fs::path inside = directory_ / "link.ini";
  fs::create_symlink("pgbouncer.ini", inside);
  StagedFile file(inside);
  file.stage("old", "new");
  file.move_into_place();
  EXPECT_TRUE(fs::is_symlink(inside));
  EXPECT_EQ(read(file_), "new");

  const fs::path other = directory_ / "other";
  fs::create_directory(other);
  fs::create_symlink(file_, other / "out.ini");
  EXPECT_EQ(refusal([&] { StagedFile{other / "out.ini"}; }), "pooler.ini-link");
  // A directory above it may be a link: a rename there stays in that directory.
  fs::create_directory_symlink(directory_, other / "etc");
  EXPECT_EQ(StagedFile(other / "etc" / "pgbouncer.ini").path(), fs::canonical(file_));
}

TEST(Sha256, IsTheKnownDigest) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(StagedFileTest, MakesANewFileAndItsDirectoryLikeAnother) {
  ASSERT_EQ(::chmod(file_.c_str(), 0640), 0);
  ASSERT_EQ(::chmod(directory_.c_str(), 0750), 0);
  const bool is_root = ::geteuid() == 0;
  if (is_root) {
    ASSERT_EQ(::chown(file_.c_str(), 65534, 65533), 0);
    ASSERT_EQ(::chown(directory_.c_str(), 65534, 65533), 0);
  }
  const fs::path fresh = directory_ / "verdigris" / "shop.ini";
  StagedFile::create(fresh, "new", file_);
  EXPECT_EQ(read(fresh), "new");
  struct stat status {};
  ASSERT_EQ(::stat(fresh.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
  EXPECT_EQ(status.st_uid, is_root ? 65534U : ::geteuid());
  ASSERT_EQ(::stat(fresh.parent_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0750U);
  EXPECT_EQ(status.st_gid, is_root ? 65533U : ::getegid());
  EXPECT_EQ(std::distance(fs::directory_iterator(fresh.parent_path()), fs::directory_iterator()), 1) << "nothing beside it";
}

TEST_F(StagedFileTest, ANewFileReplacesNothing) {
  const fs::path there = directory_ / "there.ini";
  write(there, "theirs");
  EXPECT_THROW(StagedFile::create(there, "new", file_), Error);
  EXPECT_EQ(read(there), "theirs");
  fs::create_symlink(directory_ / "nowhere", directory_ / "dangling.ini");
  EXPECT_THROW(StagedFile::create(directory_ / "dangling.ini", "new", file_), Error);
  EXPECT_FALSE(fs::exists(directory_ / "nowhere"));
}

constexpr const char* kAccessAcl = "system.posix_acl_access";
constexpr const char* kDefaultAcl = "system.posix_acl_default";  // of a directory: what new files begin with

// Owner rw, user 4711 r, group r, nobody else: as the kernel keeps it.
std::string acl_for_one_more() {
  struct Entry {
    std::uint16_t tag, permissions;
    std::uint32_t id;
  };
  constexpr std::uint32_t kVersion = 2, kNoId = 0xFFFFFFFFU;
  const std::array<Entry, 5> entries{{{0x01, 6, kNoId}, {0x02, 4, 4711}, {0x04, 4, kNoId}, {0x10, 4, kNoId}, {0x20, 0, kNoId}}};
  std::string bytes(reinterpret_cast<const char*>(&kVersion), sizeof kVersion);
  return bytes.append(reinterpret_cast<const char*>(entries.data()), sizeof entries);
}

std::string xattr_of(const fs::path& path, const char* name) {
  std::array<char, 4096> buffer{};
  const auto size = ::getxattr(path.c_str(), name, buffer.data(), buffer.size());
  return size < 0 ? std::string{} : std::string(buffer.data(), static_cast<std::size_t>(size));
}

#define NEED_ACL(path, name)                                                                                       \
  if (::setxattr((path).c_str(), name, acl_for_one_more().data(), acl_for_one_more().size(), 0) != 0) \
  GTEST_SKIP() << "no access control lists on this file system: " << std::strerror(errno)

TEST_F(StagedFileTest, KeepsTheAccessControlList) {
  NEED_ACL(file_, kAccessAcl);
  StagedFile file(file_);
  file.stage("old", "new");
  EXPECT_EQ(xattr_of(staged(), kAccessAcl), acl_for_one_more());
  file.move_into_place();
  EXPECT_EQ(read(file_), "new");
  for (const fs::path& path : {file_, backup()}) EXPECT_EQ(xattr_of(path, kAccessAcl), acl_for_one_more()) << path;
}

// Else somebody could read the passwords of the new file who could not read those of the old one.
TEST_F(StagedFileTest, TakesNoAccessControlListFromItsDirectory) {
  NEED_ACL(directory_, kDefaultAcl);
  StagedFile file(file_);
  file.stage("old", "new");
  for (const fs::path& path : {staged(), backup()}) EXPECT_EQ(xattr_of(path, kAccessAcl), "") << path;
  file.move_into_place();
  EXPECT_EQ(xattr_of(file_, kAccessAcl), "");
}

}  // namespace
}  // namespace verdigris
