// The playbooks we ship are read by the decoder that operators meet, and each has its page.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "controller/config.hpp"
#include "controller/config_values.hpp"

using namespace verdigris;

namespace {

const std::filesystem::path kFolder = std::filesystem::path(VERDIGRIS_SOURCE_DIR) / "playbooks";
const WallTime kDay = parse_date("2026-06-15");

std::string read_whole(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

Playbook shipped(const std::string& name) {
  return decode_playbook(read_whole(kFolder / name), kFolder / name, kDay);
}

std::string complaints(const std::filesystem::path& file) {
  std::string all;
  try {
    decode_playbook(read_whole(file), file, kDay);
  } catch (const PlaybookErrors& errors) {
    for (const PlaybookError& each : errors.errors()) all += std::to_string(each.line) + ": " + each.text + "\n";
  }
  return all;
}

}  // namespace

TEST(Playbooks, EachIsValidAndListedInTheIndex) {
  const std::string index = read_whole(kFolder / "README.md");
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".yaml") continue;
    ++count;
    EXPECT_EQ(complaints(entry.path()), "") << entry.path();
    EXPECT_NE(index.find("(" + entry.path().filename().string() + ")"), std::string::npos) << entry.path();
  }
  EXPECT_EQ(count, 3);
}

TEST(Playbooks, EachButTheReferenceHasItsPage) {
  for (const char* name : {"major_upgrade", "rehearsal"}) EXPECT_TRUE(exists(kFolder / (std::string(name) + ".md")));
}

TEST(Playbooks, ReferenceShowsTheDefaults) {
  const Playbook reference = shipped("reference.yaml");
  const Playbook defaults;
  EXPECT_EQ(reference.tls, defaults.tls);
  EXPECT_EQ(reference.replication.include, defaults.replication.include);
  EXPECT_EQ(reference.replication.exclude, defaults.replication.exclude);
  EXPECT_EQ(reference.replication.copy_workers, defaults.replication.copy_workers);
  EXPECT_EQ(reference.replication.copy_pace.max_bytes_per_second, defaults.replication.copy_pace.max_bytes_per_second);
  EXPECT_FALSE(reference.replication.copy_pace.max_load.has_any());
  EXPECT_EQ(reference.replication.identity, defaults.replication.identity);
  EXPECT_EQ(reference.replication.schema, defaults.replication.schema);
  EXPECT_EQ(reference.replication.reverse, defaults.replication.reverse);
  EXPECT_EQ(reference.provision.is_initdb(), defaults.provision.is_initdb());
  EXPECT_EQ(reference.migrations.lock_timeout, defaults.migrations.lock_timeout);
  EXPECT_EQ(reference.pooler.driver, defaults.pooler.driver);
  EXPECT_EQ(reference.pooler.pause_timeout, defaults.pooler.pause_timeout);
  EXPECT_EQ(reference.pooler.attempts, defaults.pooler.attempts);
  EXPECT_EQ(reference.pooler.backoff, defaults.pooler.backoff);
  EXPECT_EQ(reference.fence.bypass, defaults.fence.bypass);
  EXPECT_EQ(reference.fence.lock_timeout, defaults.fence.lock_timeout);
  EXPECT_EQ(reference.fence.autovacuum, defaults.fence.autovacuum);
  EXPECT_EQ(reference.cutover.promotable, defaults.cutover.promotable);
  EXPECT_EQ(reference.cutover.away_slots, defaults.cutover.away_slots);
  EXPECT_EQ(reference.cutover.max_pause, defaults.cutover.max_pause);
  EXPECT_EQ(reference.rollback.keep, defaults.rollback.keep);
  EXPECT_EQ(std::get<LagGate>(reference.gates.at(0)).wait, LagGate{}.wait);
  EXPECT_EQ(std::get<SqlGate>(reference.gates.at(2)).timeout, SqlGate{}.timeout);
  EXPECT_EQ(std::get<SqlGate>(reference.gates.at(2)).wait, SqlGate{}.wait);
  EXPECT_EQ(std::get<CommandGate>(reference.gates.at(3)).wait, CommandGate{}.wait);
}

TEST(Playbooks, ReferenceIsDecodedAsWritten) {
  const Playbook reference = shipped("reference.yaml");
  EXPECT_EQ(reference.replication.max_slot_wal_bytes, std::int64_t{50} << 30);
  EXPECT_EQ(reference.migrations.dir, kFolder / "migrations/orders");
  ASSERT_EQ(reference.pooler.instances.size(), 2U);
  EXPECT_EQ(reference.pooler.instances[1].name, "b");
  EXPECT_EQ(reference.pooler.databases, std::vector<std::string>{"orders"});
  EXPECT_EQ(reference.pooler.reads, std::vector<std::string>{"orders_ro"});
  EXPECT_EQ(reference.waivers.at(0).until, "2027-03-01");
  ASSERT_EQ(reference.gates.size(), 4U);
  EXPECT_EQ(std::get<SqlGate>(reference.gates[2]).id, "totals");
}

// The words of every error that ends in exit code 6, out of the code that throws it.
TEST(Playbooks, EmergencyExplainsEveryWordThatNeedsAHuman) {
  const std::string page = read_whole(kFolder / "emergency.md");
  const std::regex thrown(R"re((NeedsHuman|need_human)\("([a-z.-]+)")re");
  std::set<std::string> words;
  for (const char* folder : {"controller", "replication", "healthcheck"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::filesystem::path(VERDIGRIS_SOURCE_DIR) / folder)) {
      if (entry.path().extension() != ".cpp") continue;
      const std::string code = read_whole(entry.path());
      for (std::sregex_iterator at(code.begin(), code.end(), thrown), end; at != end; ++at) words.insert((*at)[2]);
    }
  for (const char* known : {"stuck-forward", "undo-stuck", "undo-incomplete", "target.unreachable", "source.lost-history"})
    EXPECT_TRUE(words.contains(known)) << known << ": the code is searched for something else than it says";
  for (const auto& word : words) EXPECT_NE(page.find("`" + word + "`"), std::string::npos) << word;
  // Nor does the page explain what nobody says any more.
  const std::regex explained(R"re(\n\| `([a-z.-]+)` \||\(`(reverse\.[a-z-]+)`\))re");
  for (std::sregex_iterator at(page.begin(), page.end(), explained), end; at != end; ++at) {
    const std::string word = (*at)[1].matched ? (*at)[1] : (*at)[2];
    EXPECT_TRUE(words.contains(word)) << word;
  }
}
