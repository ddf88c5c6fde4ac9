#include "healthcheck/server_versions.hpp"

#include "healthcheck/questions.hpp"

namespace verdigris {
namespace {

constexpr int kOldestSource = 13;
constexpr int kOldestTarget = 14;
constexpr int kNewest = 18;

std::string text_of(int version) {
  return std::to_string(version / 10000) + "." + std::to_string(version % 10000);
}

Finding pair(const Server& blue, const Server& green) {
  const std::string id = "versions.pair";
  const std::string text = "blue " + text_of(blue.version()) + ", green " + text_of(green.version());
  if (blue.major() < kOldestSource || blue.major() > kNewest)
    return fail(id, text + ": blue must be PostgreSQL 13 to 18", "Upgrade blue to a supported major first.");
  if (green.major() < kOldestTarget || green.major() > kNewest)
    return fail(id, text + ": green must be PostgreSQL 14 to 18", "Install green with a supported major.");
  if (green.major() < blue.major())
    return fail(id, text + ": green is older than blue", "Exchange the two, or install a newer green.");
  return pass(id, text);
}

void add_if_old(const std::string& whose, int version, Findings& findings) {
  if (!is_below_floor(version)) return;
  const int floor = first_sound_version(version / 10000);
  findings.push_back(fail("versions.minor",
                          whose + " " + text_of(version) + " has known holes (CVE-2025-1094, CVE-2026-6638)",
                          floor == 0 ? "Majors before 14 get no fixes: waive versions.minor by name if you must."
                                     : "Update to " + text_of(floor) + " or later, or waive versions.minor by name."));
}

}  // namespace

int first_sound_version(int major) {
  switch (major) {
    case 14:
      return 140024;
    case 15:
      return 150019;
    case 16:
      return 160015;
    case 17:
      return 170011;
    case 18:
      return 180006;
    default:
      return 0;
  }
}

bool is_below_floor(int version) {
  const int floor = first_sound_version(version / 10000);
  return version < floor || (floor == 0 && version / 10000 < 14);
}

namespace questions {

Findings server_versions(const CheckContext& context) {
  Findings findings{pair(context.source, context.target)};
  add_if_old("blue", context.source.version(), findings);
  add_if_old("green", context.target.version(), findings);
  if (context.settings.pg_dump) add_if_old("pg_dump", context.settings.pg_dump->version, findings);
  if (findings.size() == 1) findings.push_back(pass("versions.minor", "no release with known holes"));
  return findings;
}

}  // namespace questions
}  // namespace verdigris
