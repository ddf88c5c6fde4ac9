// How much WAL a server may keep for our slots, the most that one of them makes it keep: replication.max_slot_wal of the playbook. Beyond it the slot goes, and with
// it the copy, because the disk of the database that serves comes first.
#pragma once

#include <cstdint>

#include "replication/deadline.hpp"
#include "replication/server.hpp"
#include "replication/stream.hpp"

namespace verdigris {

class SlotWalLimit {
 public:
  // 0: no limit of ours.
  SlotWalLimit(Server& publisher, Streams streams, std::int64_t most_bytes)
      : publisher_(publisher), streams_(std::move(streams)), most_bytes_(most_bytes) {}

  // Looks at most every two seconds. If it is more, and not less than at the last look, drops the slots, whoever reads them, and throws Error("slot.wal-limit").
  // One that was there and is gone or lost is an Error("slot.gone"): whatever is done for it is in vain.
  void require_kept(Deadline deadline);
  // As of the last look, bytes; 0 before it.
  std::int64_t kept() const { return kept_; }
  std::int64_t most() const { return most_bytes_; }

 private:
  Server& publisher_;
  Streams streams_;
  std::int64_t most_bytes_;
  std::int64_t kept_ = 0;
  bool was_there_ = false;
  std::optional<Deadline> next_look_;
};

}  // namespace verdigris
