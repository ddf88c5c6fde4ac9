#include "healthcheck/check.hpp"

#include <algorithm>

namespace verdigris {

Finding pass(std::string id, std::string text) {
  return {Level::pass, std::move(id), std::move(text), {}};
}

Finding note(std::string id, std::string text, std::string hint) {
  return {Level::note, std::move(id), std::move(text), std::move(hint)};
}

Finding warn(std::string id, std::string text, std::string hint) {
  return {Level::warn, std::move(id), std::move(text), std::move(hint)};
}

Finding fail(std::string id, std::string text, std::string hint) {
  return {Level::fail, std::move(id), std::move(text), std::move(hint)};
}

namespace {

// Parity would stop at these all the same, with clients waiting.
bool is_beyond_waiving(const std::string& id) {
  return id == "schema.missing-table" || id == "schema.extra-table" || id == "schema.sequences";
}

}  // namespace

void apply_waivers(const std::vector<CheckWaiver>& waivers, Findings& findings) {
  for (auto& finding : findings) {
    const auto waiver = std::ranges::find(waivers, finding.id, &CheckWaiver::id);
    if (finding.level != Level::fail || waiver == waivers.end() || is_beyond_waiving(finding.id)) continue;
    finding.level = Level::warn;
    finding.text += " (waived: " + waiver->reason + ")";
  }
}

std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kMostNamed = 5;
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kMostNamed); ++i) out += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kMostNamed) out += " and " + std::to_string(names.size() - kMostNamed) + " more";
  return out;
}

}  // namespace verdigris
