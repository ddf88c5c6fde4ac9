#include "replication/lock_retry.hpp"

#include <algorithm>
#include <thread>

namespace verdigris {

bool is_lock_failure(const ServerError& error) {
  return error.sqlstate() == "55P03" || error.sqlstate() == "40P01";
}

void with_lock_retries(Connection& on, const std::string& what, std::chrono::milliseconds lock_timeout,
                       Deadline deadline, const std::function<void(Transaction&)>& work) {
  for (std::chrono::milliseconds pause{50};; pause = std::min(pause * 2, std::chrono::milliseconds{1000})) {
    try {
      Transaction transaction(on, deadline);
      transaction.query(Sql("SELECT set_config('lock_timeout', $1, true)"), {std::to_string(lock_timeout.count())});
      work(transaction);
      return transaction.commit();
    } catch (const ServerError& error) {
      if (!is_lock_failure(error)) throw;
      if (deadline.remaining() <= pause)
        throw Error("lock-timeout", on.server() + ": " + what + " did not get its locks in time: " + error.what(),
                    "End or wait for long transactions and VACUUM on these tables, then repeat the command.");
    }
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace verdigris
