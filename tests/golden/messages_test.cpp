// What people read, byte by byte. A wanted change: run with VERDIGRIS_WRITE_GOLDEN=1 and look at the difference.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <sstream>

#include "controller/config.hpp"
#include "controller/config_values.hpp"
#include "controller/output.hpp"

using namespace verdigris;

namespace {

std::string golden_path(const std::string& name) {
  return std::string(VERDIGRIS_SOURCE_DIR "/tests/golden/") + name;
}

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void expect_golden(const std::string& name, const std::string& text) {
  if (std::getenv("VERDIGRIS_WRITE_GOLDEN") != nullptr) std::ofstream(golden_path(name), std::ios::binary) << text;
  EXPECT_EQ(text, read_whole(golden_path(name))) << name;
}

struct Said {
  std::ostringstream results, messages;
};

// What a command says in this style, at 14:02:10.003 local time.
std::string said(OutputStyle style, const std::function<void(Output&)>& act) {
  Said said;
  std::tm day{};
  day.tm_year = 126;
  day.tm_mon = 5;
  day.tm_mday = 15;
  day.tm_hour = 14;
  day.tm_min = 2;
  day.tm_sec = 10;
  day.tm_isdst = -1;
  const auto now = std::chrono::system_clock::from_time_t(std::mktime(&day)) + std::chrono::milliseconds(3);
  Output output(said.results, said.messages, style, "switch", [now] { return now; });
  act(output);
  return "--- stdout\n" + said.results.str() + "--- stderr\n" + said.messages.str();
}

void print_faulty_playbook(Output& output) {
  try {
    decode_playbook(read_whole(golden_path("faulty.yaml")), "verdigris.yaml", parse_date("2026-06-15"));
  } catch (const PlaybookErrors& errors) {
    output.error(errors);
  }
}

void print_steps(Output& output) {
  using std::chrono::milliseconds;
  output.step_line("quiet", "marker 5 x < 20 ms, oldest writer 12 ms", "ok");
  output.step_line("pause", "2/2 poolers, no server connection left", "ok", milliseconds(9));
  output.step_line("reverse", "forward off, blue follows from L", "ok", milliseconds(1233));
  output.step_line("pause", "1/2 after 2.0 s; pgb2: pid 8123 (etl) in transaction 41 s", "failed", milliseconds(2009));
  output.detail("a detail");
  output.note("a note");
  output.warning("2 direct sessions: etl, postgres", "End them, or waive clients.bypass.");
  output.result("SWITCHED. Clients waited at most 61 ms, none was refused.");
  output.document({{"result", "switched"}, {"pause_ms", 61}});
}

void print_error(Output& output) {
  const std::string hostile = "green: relation \"a\x1b[31m\xe2\x80\xae\x07\tb\xff\" does not exist\nLINE 1: \xc3\xa4";
  output.error(Refused("data.missing", hostile, "Create it, or exclude it."));
  output.error(Error("second", "only the first error becomes the document"));
}

}  // namespace

TEST(Messages, FaultyPlaybookAsText) {
  expect_golden("faulty_playbook.txt", said({}, print_faulty_playbook));
}

TEST(Messages, FaultyPlaybookAsJson) {
  expect_golden("faulty_playbook_json.txt", said({.json = true}, print_faulty_playbook));
}

TEST(Messages, StepsAsText) {
  expect_golden("steps.txt", said({.verbose = true}, print_steps));
}

TEST(Messages, StepsInColor) {
  expect_golden("steps_color.txt", said({.has_color = true}, print_steps));
}

TEST(Messages, StepsQuietlyAsJson) {
  expect_golden("steps_json.txt", said({.json = true, .quiet = true}, print_steps));
}

TEST(Messages, TextOfOthersCannotActOnATerminal) {
  expect_golden("hostile_text.txt", said({}, print_error));
  expect_golden("hostile_text_json.txt", said({.json = true}, print_error));
}

TEST(Messages, ClosedStreamIsIgnored) {
  Said said;
  said.results.setstate(std::ios::badbit);
  Output output(said.results, said.messages, {}, "status");
  EXPECT_NO_THROW(output.result("nobody listens"));
  EXPECT_NO_THROW(output.note("somebody listens"));
  EXPECT_EQ(said.messages.str(), "somebody listens\n");
}

TEST(Messages, NoColorWithoutATerminalOrAgainstTheWish) {
  EXPECT_FALSE(is_color_wanted(true, 2));
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(is_color_wanted(false, 2));
  unsetenv("NO_COLOR");
  EXPECT_FALSE(is_color_wanted(false, -1));
}
