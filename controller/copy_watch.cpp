#include "controller/copy_watch.hpp"

#include <algorithm>

#include "replication/control_schema.hpp"

namespace verdigris {
namespace {

constexpr const char* kCopyNote = "copy:progress";
constexpr const char* kWantedWorkers = "copy:workers";
constexpr std::chrono::milliseconds kNoteEvery{1'000};

Json note_of(const CopyProgress& now, const SlotWalLimit& limit) {
  return {{"text", text_of(now)},
          {"tables_done", now.tables_done},
          {"tables", now.tables},
          {"rows", now.rows},
          {"bytes_done", now.bytes_done},
          {"bytes", now.bytes},
          {"sent_bytes", now.sent},
          {"bytes_per_second", static_cast<std::int64_t>(now.bytes_per_second)},
          {"seconds_left", now.left ? Json(now.left->count()) : Json(nullptr)},
          {"workers", now.workers},
          {"under_way", now.under_way},
          {"slot_wal_bytes", limit.kept()},
          {"slot_wal_limit_bytes", limit.most() > 0 ? Json(limit.most()) : Json(nullptr)}};
}

}  // namespace

CopyWatch::CopyWatch(Server& target, SlotWalLimit limit, int workers, ProgressCallback progress)
    : target_(target), limit_(std::move(limit)), workers_(workers), progress_(std::move(progress)) {}

int CopyWatch::look(const CopyProgress& now, Deadline deadline) {
  if (progress_) progress_(text_of(now));
  limit_.require_kept(deadline);
  if (next_note_ && (now.under_way.empty() || !next_note_->has_passed())) return workers_;
  next_note_ = Deadline::after(kNoteEvery);
  note_value(target_.control(), target_.deployment(), kCopyNote, note_of(now, limit_).dump(), deadline);
  const auto wanted = saved_value(target_.control(), target_.deployment(), kWantedWorkers, deadline);
  const auto number = wanted ? Json::parse(*wanted, nullptr, false) : Json(nullptr);
  if (number.is_number_integer()) workers_ = std::clamp(number.get<int>(), 1, kMostCopyWorkers);
  return workers_;
}

void CopyWatch::forget(Deadline deadline) {
  for (const char* key : {kCopyNote, kWantedWorkers})
    if (saved_value(target_.control(), target_.deployment(), key, deadline))
      forget_value(target_.control(), target_.deployment(), key, deadline);
}

PlannedAct CopyWatch::noting(Server& target) {
  return {target.color(), noting_statement().text(), {target.deployment(), kCopyNote, "<how far it has come>"}};
}

std::optional<Json> noted_copy(Server& target, Deadline deadline) {
  const auto text = saved_value(target.control(), target.deployment(), kCopyNote, deadline);
  if (!text) return std::nullopt;
  auto note = Json::parse(*text, nullptr, false);
  return note.is_object() ? std::optional(std::move(note)) : std::nullopt;
}

void ask_for_copy_workers(Server& target, int workers, Deadline deadline) {
  note_value(target.control(), target.deployment(), kWantedWorkers, std::to_string(workers), deadline);
}

}  // namespace verdigris
