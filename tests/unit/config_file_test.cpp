// The playbook and its passfiles as files (faults N1, N18).
#include "controller/config_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "controller/config.hpp"
#include "replication/errors.hpp"
#include "tests/unit/config_sample.hpp"

using namespace verdigris;

namespace {

class ConfigFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "verdigris_config_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::filesystem::path written(const std::string& name, const std::string& text, mode_t mode) const {
    const auto file = dir_ / name;
    std::ofstream(file) << text;
    chmod(file.c_str(), mode);
    return file;
  }

  // What is said, with the directory cut out.
  std::string said(const std::function<void()>& act) const {
    try {
      act();
    } catch (const Error& error) {
      EXPECT_EQ(error.failure(), Failure::usage);
      std::string text = error.what();
      const std::string dir = dir_.string() + "/";
      const auto at = text.find(dir);
      return at == std::string::npos ? text : text.erase(at, dir.size());
    }
    return "accepted";
  }
  std::string playbook(const std::filesystem::path& file) const {
    return said([&] { read_playbook_file(file); });
  }
  std::string passfile(const std::filesystem::path& file) const {
    return said([&] { check_passfile(file); });
  }

  std::filesystem::path dir_;
};

}  // namespace

TEST_F(ConfigFile, PlaybookMustBeARegularFileThatOnlyItsOwnerMayWrite) {
  mkfifo((dir_ / "fifo").c_str(), 0600);
  std::filesystem::create_directory(dir_ / "sub");
  chmod((dir_ / "sub").c_str(), 0755);
  EXPECT_EQ(playbook(written("good", "a", 0644)), "accepted");
  EXPECT_EQ(playbook(dir_ / "missing"), "playbook \"missing\" does not exist");
  EXPECT_EQ(playbook(dir_ / "sub"), "playbook \"sub\" is a directory (mode 0755)");
  EXPECT_EQ(playbook(dir_ / "fifo"), "playbook \"fifo\" is a FIFO (mode 0600)");
  EXPECT_EQ(playbook("/dev/null"), "playbook \"/dev/null\" is a character device (mode 0666)");
  EXPECT_EQ(playbook(written("group", "a", 0664)), "playbook \"group\" is writable by group or others (mode 0664)");
  EXPECT_EQ(playbook(written("world", "a", 0646)), "playbook \"world\" is writable by group or others (mode 0646)");
  EXPECT_EQ(playbook(written("large", std::string((1U << 20) + 1, '#'), 0600)),
            "playbook \"large\" is larger than 1 MiB");
  EXPECT_EQ(playbook(written("full", std::string(1U << 20, '#'), 0600)), "accepted");
}

TEST_F(ConfigFile, PassfileMustBeClosedToOthers) {
  EXPECT_EQ(passfile(written("good", "a", 0600)), "accepted");
  EXPECT_EQ(passfile(written("read", "a", 0644)), "passfile \"read\" is open to group or others (mode 0644)");
  EXPECT_EQ(passfile(dir_ / "missing"), "passfile \"missing\" does not exist");
  EXPECT_EQ(passfile(dir_), "passfile \"" + dir_.string() + "\" is a directory (mode 0700)");
}

TEST_F(ConfigFile, FilesOfOthersAreRefusedUnlessRootReads) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const auto file = written("foreign", "a", 0600);
  ASSERT_EQ(chown(file.c_str(), 65534, 65534), 0);
  EXPECT_EQ(playbook(file), "accepted");
  chmod(dir_.c_str(), 0755);
  chmod(file.c_str(), 0644);
  ASSERT_EQ(seteuid(12345), 0);
  const std::string text = playbook(file);
  ASSERT_EQ(seteuid(0), 0);
  EXPECT_EQ(text, "playbook \"foreign\" belongs to uid 65534, and we are uid 12345 (mode 0644)");
}

TEST_F(ConfigFile, LoadReportsTheFileLikeAnyOtherFault) {
  try {
    load_playbook(dir_ / "missing");
    FAIL() << "accepted";
  } catch (const PlaybookErrors& errors) {
    EXPECT_EQ(errors.errors().at(0).id, "playbook-file");
    EXPECT_EQ(errors.errors().at(0).line, 0);
  }
  EXPECT_EQ(load_playbook(written("good.yaml", std::string(tests::kSample), 0600), tests::kNow).name, "orders");
}
