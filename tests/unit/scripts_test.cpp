// What the scripts say to words that they do not know, before they do anything.
#include <gtest/gtest.h>

#include "controller/process.hpp"

namespace verdigris::test {
namespace {

ToolResult said_by(const std::string& script, const std::vector<std::string>& arguments) {
  std::vector<std::string> argv{std::string(VERDIGRIS_SOURCE_DIR) + "/scripts/" + script};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_tool({argv, {}, {}}, Deadline::after(std::chrono::seconds(20)));
}

TEST(Scripts, RefuseUnknownWordsAndNameTheKnownOnes) {
  struct Case {
    const char* script;
    std::vector<std::string> arguments;
    const char* error;
    const char* hint;
  };
  for (const auto& [script, arguments, error, hint] :
       {Case{"test", {"units"}, "test: unknown label \"units\"", "HINT: Labels are unit "},
        Case{"soak", {}, "soak: unknown subject \"\"", "HINT: scripts/soak crashes ["},
        Case{"soak", {"everything"}, "soak: unknown subject \"everything\"", "HINT: scripts/soak crashes ["},
        Case{"soak", {"crashes", "unit"}, "soak: unknown test \"unit\"", "crash_enumeration recovery reads takeover"}}) {
    const auto said = said_by(script, arguments);
    EXPECT_EQ(said.exit_code, 2) << script << said.errors;
    EXPECT_NE(said.errors.find(error), std::string::npos) << said.errors;
    EXPECT_NE(said.errors.find(hint), std::string::npos) << said.errors;
  }
}

}  // namespace
}  // namespace verdigris::test
