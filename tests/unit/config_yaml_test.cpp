// What YAML a playbook may be written in (faults N2-N8), and that hostile text is refused quickly.
#include <gtest/gtest.h>

#include <ctime>

#include "controller/config.hpp"
#include "tests/unit/config_sample.hpp"

using namespace verdigris;
using verdigris::tests::kSample;
using verdigris::tests::list_faults;
using verdigris::tests::with_line;

namespace {

struct Case {
  std::string name, text, faults;
};

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

// Of the processor's time, so that a busy machine does not fail the test. The builds with tests are not optimized, or carry
// sanitizers: ten times the 50 ms of the program as it ships. (__OPTIMIZE__ cannot tell: a precompiled header sets it.)
constexpr double kLimit = 0.5;

const Case kCases[] = {
    {"empty", "", "1:1 yaml-root"},
    {"only comments", "# nothing\n", "1:1 yaml-root"},
    {"list", "- a\n- b\n", "1:1 yaml-root"},
    {"scalar", "orders\n", "1:1 yaml-root"},
    {"unknown key", with_line("max_pauze: 5s"), "11:1 unknown-key"},
    {"duplicate key", with_line("name: shop"), "11:1 duplicate-key"},
    {"anchor", with_line("cutover: &c { max_pause: 5s }"), "11:10 yaml-anchor"},
    {"alias", with_line("cutover: &c { max_pause: 5s }\nrollback: *c"), "11:10 yaml-anchor 12:11 yaml-alias"},
    {"anchor that holds itself", "a: &a [*a]\n", "1:1 missing-key*"},
    {"merge key", with_line("cutover: { <<: { max_pause: 5s } }"), "11:12 yaml-merge"},
    {"second document", with_line("---\nname: shop"), "11:1 yaml-document"},
    {"tag", with_line("cutover: { max_pause: !x 5s }"), "11:23 yaml-tag"},
    {"non-specific tag", with_line("cutover: { max_pause: ! 5s }"), "11:23 yaml-tag"},
    {"standard tag", with_line("cutover: !!map { max_pause: 5s }"), "11:10 yaml-tag"},
    {"directive", "%YAML 1.2\n---\n" + std::string(kSample), "1:1 yaml-directive"},
    {"UTF-16",
     std::string("\xff\xfe"
                 "n\0a\0",
                 6),
     "1:1 encoding"},
    {"invalid UTF-8", with_line("cutover: \x80"), "11:10 encoding"},
    {"overlong UTF-8", with_line("cutover: \xc0\xaf"), "11:10 encoding"},
    {"surrogate", with_line("cutover: \xed\xa0\x80"), "11:10 encoding"},
    {"NUL", with_line(std::string("a: \0", 4)), "11:4 control-character"},
    {"control character", with_line("a: \x1b[2J"), "11:4 control-character"},
    {"bidirectional override", with_line("a: \xe2\x80\xae"), "11:4 control-character"},
    {"escaped control character", with_line("migrations: { dir: \"a\\e[2J\" }"), "11:20 control-character"},
    {"escaped NUL", with_line("migrations: { dir: \"a\\0\" }"), "11:20 control-character"},
    {"tab", with_line("cutover:\n\tmax_pause: 5s"), "12:1 tab"},
    {"unclosed bracket", with_line("cutover: { max_pause: 5s"), "12:1 yaml"},
    {"key longer than 200 bytes", with_line(std::string(201, 'k') + ": 1"), "11:1 unknown-key"},
    {"key that is a list", with_line("? [a, b]\n: c"), "11:3 type"},
    {"no value", with_line("cutover:"), "11:1 type"},
    {"null", with_line("cutover: ~"), "11:1 type"},
    {"list for a mapping", with_line("cutover: [5s]"), "11:10 type"},
    {"mapping for a scalar", with_line("cutover: { max_pause: { a: 5s } }"), "11:23 type"},
};

}  // namespace

TEST(PlaybookYaml, SampleItselfIsAccepted) {
  EXPECT_EQ(list_faults(kSample), "");
}

TEST(PlaybookYaml, RefusesWhatAPlaybookMayNotUse) {
  for (const Case& each : kCases) {
    const std::string found = list_faults(each.text);
    const bool is_prefix = each.faults.ends_with('*');
    const std::string expected = is_prefix ? each.faults.substr(0, each.faults.size() - 1) : each.faults;
    EXPECT_EQ(is_prefix ? found.substr(0, expected.size()) : found, expected) << each.name;
  }
}

TEST(PlaybookYaml, ByteOrderMarkAndCrlfAreFine) {
  std::string text = "\xEF\xBB\xBF";
  for (const char c : std::string(kSample)) text += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_EQ(list_faults(text), "");
}

TEST(PlaybookYaml, EveryUnsupportedTopLevelKeyIsNamed) {
  for (const char* key : {"ddl", "databases", "data", "parity", "hooks", "serve"})
    EXPECT_EQ(list_faults(with_line(std::string(key) + ": { a: b }")), "11:1 unsupported-key") << key;
}

TEST(PlaybookYaml, HostileTextIsRefusedWithinFiftyMilliseconds) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1) + ", ";
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + repeated(before, 10) + "]\n";
  }
  std::string stairs;
  for (int i = 0; i < 1000; ++i) stairs += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  const std::vector<Case> hostile = {
      {"400 brackets", repeated("[", 400), "yaml-depth"},
      {"100000 brackets", repeated("[", 100'000), "yaml-depth"},
      {"100000 braces", "a: " + repeated("{a: ", 100'000), "yaml-depth"},
      {"50 braces", "a: " + repeated("{a: ", 50) + "b" + repeated("}", 50), "yaml-depth"},
      {"100000 dashes", repeated("- ", 100'000) + "a", "yaml-depth"},
      {"100000 questions", repeated("? ", 100'000) + "a", "yaml-depth"},
      {"stairs", stairs, "yaml-depth"},
      {"bomb", bomb, "yaml-anchor"},
      {"many nodes", "a: [" + repeated("x,", 20'000) + "]", "yaml-nodes"},
  };
  for (const Case& each : hostile) {
    const std::clock_t start = std::clock();
    const std::string found = list_faults(each.text);
    const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    EXPECT_NE(found.find(each.faults), std::string::npos) << each.name << ": " << found;
    EXPECT_LT(took, kLimit) << each.name;
  }
}

TEST(PlaybookYaml, LongWordsAreRefused) {
  const std::vector<Case> cases = {
      {"one long scalar", "a: " + std::string(1'000'000, 'x') + "\n", "unknown-key"},
      {"one long quoted scalar", "a: \"" + repeated("x ", 500'000) + "\"\n", "unknown-key"},
      {"long key without value", std::string(1'000'000, 'k'), "yaml-root"},
  };
  for (const Case& each : cases) EXPECT_NE(list_faults(each.text).find(each.faults), std::string::npos) << each.name;
}
