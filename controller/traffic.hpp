// What holds clients and moves them from one server to the other. Safety never rests on it (the fence does); it is what
// spares clients an error. One object for all instances together: all are paused or none.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "controller/planned_act.hpp"
#include "replication/deadline.hpp"

namespace verdigris {

// Where a pooler sends its clients.
struct Endpoint {
  std::string host;  // a host name, an address, or the directory of a unix socket
  std::string port;
  std::string dbname;
  std::string color = {};  // "blue", "green"; another name for the same, empty where it is not known
  bool operator==(const Endpoint& other) const {
    return host == other.host && port == other.port && dbname == other.dbname;
  }
};

// "db2:5432/orders", or the colour where nothing else is known.
inline std::string text_of(const Endpoint& at) {
  return at.host.empty() ? at.color : at.host + ":" + at.port + "/" + at.dbname;
}

// What it can do for clients. Safety uses none of it: it rests on the fence.
struct TrafficAbilities {
  bool can_hold_clients = true;       // pause() makes new transactions wait; else clients see errors
  bool knows_transaction_end = true;  // pause() comes back when no transaction is open any more
  bool pause_observable = true;       // state() tells whether clients are held
  bool moves_clients = true;          // else they find the target by themselves, or a person leads them there
  bool has_file = true;               // stage() lays a file ready
  bool is_proven = true;              // the above is tested here, not only declared
};

struct TrafficState {
  std::string instance;              // "pooler a": how messages name it
  std::string alias;                 // the pooler's name of the database
  bool is_paused = false;
  Endpoint target;                   // as the running process has it, not as the file says
  int waiting_clients = 0;
  int server_connections = 0;        // of this database
  std::string known_fault = {};      // "PgBouncer 1.23.0 may crash after RELOAD"; empty if none is known
};

// What a look at the server connections says of where clients are led now.
enum class Service {
  served,   // every pool has a connection there, logged in
  unasked,  // some pool has none, and nobody asks for one; or connections that lead elsewhere fill it until they end
  waiting,  // somebody waits for one, or the login is under way
};

// When clients were held: steady clock, for the report.
struct PauseTimes {
  std::optional<std::chrono::steady_clock::time_point> first_pause_sent;
  std::optional<std::chrono::steady_clock::time_point> last_resume_acknowledged;
  int waiting_clients = 0;           // seen just before RESUME, summed over instances
};

class Traffic {
 public:
  virtual ~Traffic() = default;
  virtual TrafficAbilities abilities() const { return {}; }
  // For the plan and for the prompt: what a crossing means to clients.
  virtual std::string effect_on_clients() const { return "they wait and see no error"; }
  // What can be asked without a RELOAD, of processes and files alike: for check and dry runs. Throws Refused; changes nothing.
  virtual void require_sound(const Endpoint& /*current*/, std::chrono::milliseconds /*budget*/, Deadline /*deadline*/) {}
  // Everything that can be wrong is found here, while it costs nobody anything: reaches each instance, knows that it is
  // the process meant and that it reads the file meant, pool mode, time-outs against the pause budget, no-op RELOAD and
  // read-back. Throws Refused. Changes nothing lasting.
  virtual void require_ready(const Endpoint& current, std::chrono::milliseconds budget, Deadline deadline) = 0;
  // Tries, before stage(), whether the users of the clients can log in on the target as they would behind the move, and
  // says for whom that is known. Throws Refused "pooler.target-login". Empty: it cannot be tried here.
  virtual std::string try_logins(const Endpoint& /*target*/, Deadline /*deadline*/) { return {}; }
  // What a try_logins() that was killed has left.
  virtual void clear_trials(Deadline /*deadline*/) {}
  // Writes the file for the new target beside the old one, fsynced, so that only rename remains in the window. Idempotent.
  virtual void stage(const Endpoint& target, Deadline deadline) = 0;
  virtual void discard_staged() = 0;
  // What stage() saw is still what the file holds; throws Refused "pooler.foreign-edit".
  virtual void require_unedited() = 0;
  // Shortly before pause(): has connections closed that can be done without, so that they need not end while clients wait.
  // A courtesy, which fails without a word. keep_idle() takes back what is left of it, also that of another run, and throws if a process does
  // not answer that may still act on it.
  virtual void shed_idle(Deadline /*deadline*/) {}
  virtual void keep_idle(Deadline /*deadline*/) {}
  // Holds new transactions on all instances at once and waits until no server connection of the database is left.
  // Throws (after which resume() must be called) if one instance does not get there in time.
  virtual void pause(Deadline deadline) = 0;
  // Releases clients wherever they are held, also after a half-finished pause() of another process; reads back paused=0.
  virtual void resume(Deadline deadline) = 0;
  // As resume(), but whoever is led to a server that turns everybody away stays held. Each name of each instance by itself.
  virtual void resume_but_for(const Endpoint& closed, Deadline deadline) = 0;
  // Moves the file into place, reloads, and reads back the running target on every instance. Idempotent.
  virtual void point_to(const Endpoint& target, Deadline deadline) = 0;
  // point_to() and resume(), each instance on its own: those that answer let their clients go on at once, however long
  // another takes. Comes back within seconds, with an error that names who did not answer; to be repeated then.
  virtual void move(const Endpoint& target, Deadline deadline) {
    point_to(target, deadline);
    resume(deadline);
  }
  // Whether every instance leads there and holds nobody. As long as a file names another target, no process is asked.
  virtual bool has_moved(const Endpoint& target, Deadline deadline) = 0;
  // For plan, in order: the lines of the files that stage() would change, as unified diffs without passwords; what
  // pause() and move() say on the consoles. Only read.
  virtual PlannedActs file_changes(const Endpoint& /*target*/, Deadline /*deadline*/) { return {}; }
  virtual PlannedActs shed_commands() { return {}; }
  virtual PlannedActs pause_commands() { return {}; }
  virtual PlannedActs move_commands(Deadline /*deadline*/) { return {}; }
  virtual std::vector<TrafficState> state(Deadline deadline) = 0;
  // As state(), without counting clients and connections: for the window.
  virtual std::vector<TrafficState> holds(Deadline deadline) { return state(deadline); }
  // Server processes of the pool whose connections the last pause() has closed: they have nothing more to do but end.
  virtual std::vector<int> closed_backends() const { return {}; }
  // Server connections that still lead to where clients were before the last move, each described: they end with their
  // transactions, and nobody new gets one.
  virtual std::vector<std::string> left_behind(Deadline /*deadline*/) { return {}; }
  // Whether clients get connections there now: what the login says of them is known only then.
  virtual Service service(Deadline /*deadline*/) { return Service::served; }
  virtual PauseTimes pause_times() const = 0;
  virtual std::string describe() const = 0;  // "2 PgBouncer processes, database orders"
};

}  // namespace verdigris
