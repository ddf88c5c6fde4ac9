#include "controller/staged_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
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

}  // namespace
}  // namespace verdigris
