#include "controller/forced_loss.hpp"

#include <fmt/format.h>

#include <cmath>

#include "replication/origin.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"

namespace verdigris {
namespace {

std::optional<std::int64_t> bytes_behind(Server& green, Server& blue, const Streams& back, Deadline deadline) {
  if (green.is_given_up()) return std::nullopt;
  std::optional<Lsn> applied;  // by all
  for (const auto& state : subscription_briefs(blue.control(), back, deadline)) {
    std::optional<Lsn> progress;
    if (state.exists) progress = origin_progress(blue.control(), state.oid, deadline);
    if (!progress) return std::nullopt;
    if (!applied || *progress < *applied) applied = progress;
  }
  const auto end = wal_insert_position(green.control(), deadline);
  return end > *applied ? (end - *applied).count : 0;
}

}  // namespace

std::string Loss::text() const {
  const std::string age =
      !seconds     ? std::string("no marker of green is on blue, so the seconds are unknown")
      : decided_at ? fmt::format("no marker of green is on blue since the switch was decided, {}, {:.0f} s ago", *decided_at, std::ceil(*seconds))
                   : fmt::format("the last marker of green on blue is of {}, {:.0f} s ago", *marker_at, std::ceil(*seconds));
  const std::string size = bytes ? fmt::format("{} bytes of green's WAL are behind what blue has applied", *bytes)
                                 : std::string("the distance in WAL is unknown");
  return age + "; " + size +
         (is_grouped ? "; of a transaction over several replication.groups blue may have a part only" : "");
}

std::optional<std::string> last_switch_decided(const std::vector<Record>& records) {
  std::optional<std::string> at;
  bool is_switch = false;
  for (const auto& record : records) {
    if (record.event == "plan") is_switch = record.detail.value("command", "") == "switch";
    if (record.event == "committed" && is_switch) at = record.at;
  }
  return at;
}

Loss measure_loss(Server& green, Server& blue, const Streams& back, const std::optional<std::string>& decided_at, Deadline deadline) {
  Loss loss;
  for (const auto& stream : back) {
    const auto answer = blue.control().query(Sql(R"(
      SELECT at::text, extract(epoch FROM clock_timestamp() - at)::float8 FROM {}
      WHERE side = 'green' ORDER BY id DESC LIMIT 1)",
                                                 stream.marker()),
                                             deadline);
    const auto row = answer.at_most_one_row(2);
    if (row && loss.seconds && row->real(1) <= *loss.seconds) continue;  // what one stream lacks counts
    loss.marker_at = row ? std::optional(row->text(0)) : std::nullopt;
    loss.seconds = row ? std::optional(row->real(1)) : std::nullopt;
    if (!row) break;
  }
  if (decided_at) {
    const auto age = blue.control()
                         .query(Sql("SELECT extract(epoch FROM clock_timestamp() - $1::timestamptz)::float8"), {*decided_at}, deadline)
                         .one_row(1)
                         .real(0);
    if (!loss.seconds || age < *loss.seconds) {
      loss.decided_at = decided_at;
      loss.seconds = age;
    }
  }
  loss.is_grouped = back.is_grouped();
  loss.bytes = bytes_behind(green, blue, back, deadline);
  return loss;
}

void require_accepted(const Loss& loss, const AcceptedLoss& accepted) {
  const bool by_bytes = accepted.bytes && loss.bytes && *loss.bytes <= *accepted.bytes;
  const bool by_time = accepted.seconds && loss.seconds && *loss.seconds <= static_cast<double>(accepted.seconds->count());
  if (by_bytes || by_time) return;
  const std::string enough = loss.seconds ? fmt::format("{:.0f}s", std::ceil(*loss.seconds) + 60) : std::string("D");
  throw Refused("force.loss", "blue would open without commits that green acknowledged: " + loss.text(),
                "If that may be lost, repeat it with --accept-loss=" + enough + (loss.bytes ? ", or in bytes." : "."));
}

}  // namespace verdigris
