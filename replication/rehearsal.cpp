#include "replication/rehearsal.hpp"

#include "replication/access.hpp"
#include "replication/fence.hpp"

namespace verdigris {

// A transaction that is not committed is rolled back, and so is one whose controller dies in it.
std::vector<std::string> rehearse_closing(Connection& on, const std::string& deployment, const std::vector<std::string>& keep,
                                          Deadline deadline) {
  Transaction transaction(on, deadline);
  close_access(transaction, deployment, keep);
  auto let_in = roles_let_in(on, keep, deadline);
  transaction.execute(fence_statement(FenceState::closed));
  return let_in;
}

void rehearse_opening(Connection& on, const std::string& deployment, Deadline deadline) {
  Transaction transaction(on, deadline);
  transaction.execute(fence_statement(FenceState::open));
  transaction.execute(marker_fence_statement(FenceState::open));
  open_access(transaction, deployment);
}

}  // namespace verdigris
