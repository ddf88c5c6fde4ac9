// What `verdigris set` refuses before it asks any server.
#include "controller/commands/set.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "replication/errors.hpp"

namespace verdigris::test {
namespace {

std::string refusal_of(const std::string& setting) {
  Invocation invocation;
  invocation.setting = setting;
  invocation.playbook = "/nonexistent/verdigris.yaml";
  std::ostringstream results, messages;
  Output output(results, messages, {}, "set");
  try {
    run_set(invocation, output);
  } catch (const Error& error) {
    return error.id() + ": " + error.what() + " HINT: " + error.hint();
  }
  return "accepted";
}

TEST(SetCommand, AnUnknownKeyAndAValueOutOfRangeAreSaid) {
  const auto unknown = refusal_of("copy-worker=4");
  EXPECT_TRUE(unknown.starts_with("set.unknown: \"copy-worker\" cannot be set")) << unknown;
  EXPECT_NE(unknown.find("HINT: What can be set while a command runs: copy-workers=N, copy-rate=SIZE|none (each second)."), std::string::npos) << unknown;
  for (const char* value : {"", "0", "65", "-1", "4x", " 4"}) {
    const auto refused = refusal_of(std::string("copy-workers=") + value);
    EXPECT_TRUE(refused.starts_with("set.value: ")) << refused;
    EXPECT_NE(refused.find("is not a number from 1 to 64"), std::string::npos) << refused;
  }
  for (const char* value : {"", "0", "20", "20MB", "1KiB", "-1MiB", "None"}) {
    const auto refused = refusal_of(std::string("copy-rate=") + value);
    EXPECT_TRUE(refused.starts_with("set.value: copy-rate: \"") || refused.starts_with("set.value: copy-rate: 1KiB")) << refused;
    EXPECT_NE(refused.find("copy-rate=20MiB"), std::string::npos) << refused;
  }
  for (const char* value : {"64KiB", "20MiB", "none"})
    EXPECT_FALSE(refusal_of(std::string("copy-rate=") + value).starts_with("set.")) << value;
  EXPECT_FALSE(refusal_of("copy-workers=64").starts_with("set.")) << "it goes on to the playbook";
}

}  // namespace
}  // namespace verdigris::test
