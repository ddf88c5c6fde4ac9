#include "controller/given_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "controller/printable.hpp"

namespace verdigris {
namespace {

constexpr std::size_t kShortestDigest = 12, kWholeDigest = 64;  // hex digits
constexpr std::string_view kDigestLine = "digest sha256 ";

bool is_hex(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

Error unreadable(const std::string& file, const std::string& why) {
  return {"plan.unreadable", "\"" + file + "\" " + why, "Give the file that \"verdigris plan -o FILE\" wrote, or its digest.",
          Failure::usage};
}

std::string digest_given(std::string text) {
  const auto refuse = [&](const std::string& what) {
    return Error("plan.digest", fmt::format("\"{}\" is too {} for a digest, it has {} to {} hex digits", text, what,
                                                 kShortestDigest, kWholeDigest),
                 "Give more of what \"verdigris plan\" printed; a file of that name is written ./" + text + ".", Failure::usage);
  };
  if (text.size() < kShortestDigest) throw refuse("short");
  if (text.size() > kWholeDigest) throw refuse("long");
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string read_whole(const std::string& file) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) throw unreadable(file, "is a directory");
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream.good() || stream.bad()) throw unreadable(file, std::string("cannot be read: ") + std::strerror(errno == 0 ? EIO : errno));
  return text;
}

std::vector<std::string> lines_in(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

bool is_plan_digest(const std::string& text) { return text.size() == kWholeDigest && is_hex(text); }

GivenPlan from_text(const std::string& file, const std::string& text) {
  const auto lines = lines_in(text);
  for (const auto& line : lines)
    if (line.starts_with(kDigestLine) && is_plan_digest(line.substr(kDigestLine.size())))
      return {line.substr(kDigestLine.size()), without_state(lines)};
  throw unreadable(file, "holds no plan");
}

GivenPlan from_document(const std::string& file, const Json& document) {
  if (!document.is_object()) throw unreadable(file, "holds no plan");
  try {
    const auto page = PlanPage::from_document(document);
    const std::string digest = document.at("digest");
    if (is_plan_digest(digest) && page.digest() == digest) return {digest, without_state(page.lines())};
  } catch (const nlohmann::json::exception&) {
    throw unreadable(file, "holds no plan");
  }
  throw unreadable(file, "was changed since it was written: its digest is not that of what it says");
}

// The part of the page that a line belongs to: the step above it, or what stands before the steps.
std::string part_of(const std::vector<std::string>& lines, std::size_t at) {
  for (std::size_t i = std::min(at + 1, lines.size()); i-- > 0;) {
    if (lines[i].starts_with("     ")) continue;
    const auto name = lines[i].substr(std::min(lines[i].find_first_not_of(" 0123456789"), lines[i].size()));
    return name.substr(0, name.find(' '));
  }
  return "what it rests on";
}

std::string trimmed(const std::string& line) {
  const auto begin = line.find_first_not_of(' ');
  return begin == std::string::npos ? "nothing" : "\"" + line.substr(begin) + "\"";
}

// The first line that is not the same, in both.
std::string difference(const std::vector<std::string>& then, const std::vector<std::string>& now) {
  const auto [a, b] = std::ranges::mismatch(then, now);
  const auto at = static_cast<std::size_t>(a - then.begin());
  const std::string was = a == then.end() ? "nothing more" : trimmed(*a);
  const std::string is = b == now.end() ? "nothing more" : trimmed(*b);
  return "first in " + part_of(b == now.end() ? then : now, at) + ": then " + was + ", now " + is;
}

}  // namespace

GivenPlan read_given_plan(const std::string& file_or_digest) {
  if (is_hex(file_or_digest)) return {digest_given(file_or_digest), {}};
  const std::string text = read_whole(file_or_digest);
  const auto document = Json::parse(text, nullptr, false);
  return document.is_discarded() ? from_text(file_or_digest, text) : from_document(file_or_digest, document);
}

std::optional<GivenPlan> given_plan_of(const Invocation& invocation) {
  if (!invocation.plan) return std::nullopt;
  return read_given_plan(*invocation.plan);
}

void require_same_plan(const GivenPlan& given, const PlanPage& now) {
  const std::string digest = now.digest();
  if (digest.starts_with(given.digest)) return;
  std::vector<std::string> lines;
  for (const auto& line : without_state(now.lines())) lines.push_back(printable(line));
  const std::string what = given.lines.empty() ? "what, a digest does not tell" : difference(given.lines, lines);
  throw Error("plan.stale",
              fmt::format("{} would not do what the plan says, its digest is {} and not {}; it differs, {}", now.command(),
                          digest.substr(0, kShortestDigest), given.digest.substr(0, kShortestDigest), what),
              "Run verdigris plan anew, and look at what is different.", Failure::busy);
}

void require_given_plan(const std::optional<GivenPlan>& given, Deployment& d, const std::string& command,
                        PlannedOptions options, Deadline deadline) {
  if (given) require_same_plan(*given, preview(d, planned_command(d, d.standing(), command, options), deadline));
}

}  // namespace verdigris
