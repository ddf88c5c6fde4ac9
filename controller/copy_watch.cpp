#include "controller/copy_watch.hpp"

#include <algorithm>

#include "replication/control_schema.hpp"

namespace verdigris {
namespace {

constexpr const char* kCopyNote = "copy:progress";
constexpr const char* kWantedWorkers = "copy:workers";
constexpr const char* kWantedRate = "copy:rate";
constexpr std::chrono::milliseconds kNoteEvery{1'000};

std::string said_of(const CopyProgress& now, const CopyBrake& brake) {
  return (brake.held_by().empty() ? "" : "held: " + brake.held_by() + "; ") + text_of(now);
}

Json note_of(const CopyProgress& now, const SlotWalLimit& limit, const CopyBrake& brake) {
  return {{"text", said_of(now, brake)},
          {"tables_done", now.tables_done},
          {"tables", now.tables},
          {"rows", now.rows},
          {"bytes_done", now.bytes_done},
          {"bytes", now.bytes},
          {"sent_bytes", now.sent},
          {"bytes_per_second", static_cast<std::int64_t>(now.bytes_per_second)},
          {"seconds_left", now.left ? Json(now.left->count()) : Json(nullptr)},
          {"workers", now.workers},
          {"max_bytes_per_second", brake.rate() > 0 ? Json(brake.rate()) : Json(nullptr)},
          {"held_by", brake.held_by().empty() ? Json(nullptr) : Json(brake.held_by())},
          {"under_way", now.under_way},
          {"slot_wal_bytes", limit.kept()},
          {"slot_wal_limit_bytes", limit.most() > 0 ? Json(limit.most()) : Json(nullptr)}};
}

}  // namespace

CopyWatch::CopyWatch(Server& target, SlotWalLimit limit, CopyBrake brake, int workers, ProgressCallback progress)
    : target_(target), limit_(std::move(limit)), brake_(std::move(brake)), workers_(workers), progress_(std::move(progress)) {}

int CopyWatch::look(const CopyProgress& now, Deadline deadline) {
  brake_.look(deadline);
  if (progress_) progress_(said_of(now, brake_));
  limit_.require_kept(deadline);
  if (next_note_ && (now.under_way.empty() || !next_note_->has_passed())) return workers_;
  next_note_ = Deadline::after(kNoteEvery);
  note_value(target_.control(), target_.deployment(), kCopyNote, note_of(now, limit_, brake_).dump(-1, ' ', false, Json::error_handler_t::replace), deadline);
  if (const auto workers = wanted(kWantedWorkers, deadline))
    workers_ = static_cast<int>(std::clamp<std::int64_t>(*workers, 1, kMostCopyWorkers));
  if (const auto rate = wanted(kWantedRate, deadline)) brake_.set_rate(std::max<std::int64_t>(*rate, 0));
  return workers_;
}

std::optional<std::int64_t> CopyWatch::wanted(const char* key, Deadline deadline) {
  const auto text = saved_value(target_.control(), target_.deployment(), key, deadline);
  const auto number = text ? Json::parse(*text, nullptr, false) : Json(nullptr);
  return number.is_number_integer() ? std::optional(number.get<std::int64_t>()) : std::nullopt;
}

void CopyWatch::forget(Deadline deadline) {
  for (const char* key : {kCopyNote, kWantedWorkers, kWantedRate})
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

void ask_for_copy_rate(Server& target, std::int64_t bytes_per_second, Deadline deadline) {
  note_value(target.control(), target.deployment(), kWantedRate, std::to_string(bytes_per_second), deadline);
}

}  // namespace verdigris
