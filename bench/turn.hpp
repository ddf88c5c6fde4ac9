// One turn of one contestant: its clients write, it moves them once, they go on writing, and what they remember is
// looked for on the side that serves now. Only the contestant whose turn it is has clients, so that what they wait and
// lose is its own, and the load on the machine is the same for all. Owned by one thread.
#pragma once

#include "bench/contestant.hpp"
#include "controller/sandbox/interruption.hpp"
#include "controller/sandbox/ledger_check.hpp"

namespace verdigris::bench {

class Turns {
 public:
  Turns(World& world, Contestant& contestant, Interruption& interruption);
  // Adds what came of it to the tally. False if `interruption` came.
  bool take();
  const Tally& tally() const { return tally_; }

 private:
  void forget_ledger();
  bool rest(std::chrono::milliseconds time);
  void check_ledger_tables();

  World& world_;
  Contestant& contestant_;
  Interruption& interruption_;
  Tally tally_;
  std::vector<LedgerEntry> ledger_;  // since forget_ledger()
};

}  // namespace verdigris::bench
