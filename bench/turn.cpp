#include "bench/turn.hpp"

#include <signal.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "bench/program.hpp"
#include "bench/scenario.hpp"
#include "controller/process.hpp"
#include "controller/sandbox/roles.hpp"
#include "replication/errors.hpp"

namespace verdigris::bench {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kBefore = 1500ms;    // logins are made, the stream has caught up
constexpr auto kAfter = 1000ms;     // what was held up by the pause is over
constexpr auto kShortest = 5000ms;  // of all of it: else the percentiles of waits would favour who takes long elsewhere
constexpr std::size_t kMostExamples = 10;

// The clients of one pooler: the program's own load, a process of its own.
class Load {
 public:
  Load(const fs::path& dir, int first_writer, const Scenario& scenario)
      : dir_(dir),
        process_(ChildProcess::start({.argv = argv(dir, first_writer, scenario),
                                      .output = dir / "load.out",
                                      .errors = dir / "load.err",
                                      .death_signal = SIGTERM})) {}

  void ask_to_end() { process_.send(SIGTERM); }

  void collect(Tally& tally, std::vector<LedgerEntry>& ledger) {
    if (!process_.wait_end(Deadline::after(100s))) throw Error("bench.load", "the load does not end");
    std::ifstream out(dir_ / "load.out");
    const Json summary = Json::parse(out, nullptr, false);
    if (!summary.is_object()) throw Error("bench.load", "the load said nothing:" + log_tail(dir_ / "load.err"));
    tally.errors += summary.value("client_errors", std::int64_t{0});
    for (const auto& text : summary.value("errors", std::vector<std::string>{}))
      if (tally.examples.size() < kMostExamples) tally.examples.push_back("client: " + text);
    std::ifstream waits(dir_ / "waits");
    for (double wait = 0; waits >> wait;) tally.client_waits_ms.push_back(wait);
    for (const auto& entry : read_ledger(dir_ / "ledger")) ledger.push_back(entry);
    for (const char* name : {"load.out", "load.err", "waits", "ledger"}) fs::remove(dir_ / name);
  }

 private:
  static std::vector<std::string> argv(const fs::path& dir, int first_writer, const Scenario& scenario) {
    return {program_path().string(),
            "sandbox",
            "load",
            "--json",
            "--only-pooled",
            "--dir",
            dir.string(),
            "--ledger",
            (dir / "ledger").string(),
            "--waits",
            (dir / "waits").string(),
            "--rate",
            std::to_string(kRate / scenario.poolers),
            "--clients",
            std::to_string(kClients / scenario.poolers),
            "--first-writer",
            std::to_string(first_writer),
            "--slow-percent",
            std::to_string(scenario.slow_percent),
            "--seconds",
            "3600"};
  }

  fs::path dir_;
  ChildProcess process_;
};

// A transaction of 5 s through the pooler, and the next one when it is over. It writes at its end only, so that nothing
// but the transaction itself shows what is to come, and the pause meets it.
class LongWriter {
 public:
  explicit LongWriter(const fs::path& dir) : state_(require_sandbox(dir)), thread_([this] { run(); }) {}
  ~LongWriter() { end(); }
  LongWriter(const LongWriter&) = delete;
  LongWriter& operator=(const LongWriter&) = delete;
  // Waits for the last transaction; how many failed.
  std::int64_t end() {
    is_over_ = true;
    if (thread_.joinable()) thread_.join();
    return errors_;
  }

 private:
  void run() {
    while (!is_over_) {
      try {
        auto session = Connection::open_plain(state_.conninfo(state_.pooler, kPoolUser.user),
                                              {"pooler", "shop/long", false, {}}, Deadline::after(90s));
        while (!is_over_) write(session);
      } catch (const Error&) {
        ++errors_;
      }
    }
  }

  static void write(Connection& session) {
    Transaction transaction(session, Deadline::after(90s));
    transaction.execute(Sql("SELECT pg_catalog.pg_sleep(5)"));
    transaction.execute(Sql("UPDATE public.item_0001 SET amount = amount + 1 WHERE id = 20"));
    transaction.commit();
  }

  SandboxState state_;
  std::atomic<bool> is_over_{false};
  std::atomic<std::int64_t> errors_{0};
  std::thread thread_;  // last: it uses the others
};

}  // namespace

Turns::Turns(World& world, Contestant& contestant, Interruption& interruption)
    : world_(world), contestant_(contestant), interruption_(interruption) {
  tally_.contestant = contestant.name();
}

bool Turns::rest(std::chrono::milliseconds time) {
  return !interruption_.has_come(time);
}

// Every second turn, when blue serves: what is compared stays small, and writes of one turn are still there in the
// next, after they have come back.
void Turns::forget_ledger() {
  auto session = world_.session(contestant_.serves(), contestant_.database());
  session.execute(Sql("TRUNCATE public.ledger_a, public.ledger_b, public.ledger_totals"), Deadline::after(60s));
  ledger_.clear();
}

void Turns::check_ledger_tables() {
  auto session = world_.session(contestant_.serves(), contestant_.database());
  const auto verdict = check_ledger(ledger_, session, Deadline::after(60s));
  tally_.lost += verdict.lost + verdict.half;
  tally_.duplicated += verdict.duplicated + verdict.invented + verdict.sequence_twice;
  for (const auto& text : verdict.examples)
    if (tally_.examples.size() < kMostExamples) tally_.examples.push_back("ledger: " + text);
}

bool Turns::take() {
  if (contestant_.serves() == "blue") forget_ledger();
  std::deque<Load> loads;
  const auto& scenario = contestant_.scenario();
  int first_writer = 1;
  for (const auto& dir : contestant_.pooler_dirs()) {
    loads.emplace_back(dir, first_writer, scenario);
    first_writer += kClients / scenario.poolers;
  }
  const auto end_of_shortest = Deadline::after(kShortest);
  if (!rest(kBefore)) return false;
  {
    std::optional<LongWriter> writer;
    if (scenario.has_long_writer) writer.emplace(contestant_.pooler_dirs().front());
    if (writer && !rest(1s)) return false;
    tally_.crossings.push_back(contestant_.cross());
    if (writer) tally_.errors += writer->end();
  }
  if (!rest(std::max<std::chrono::milliseconds>(kAfter, end_of_shortest.remaining()))) return false;
  const auto before = ledger_.size();
  for (auto& load : loads) load.ask_to_end();
  for (auto& load : loads) load.collect(tally_, ledger_);
  tally_.acknowledged += static_cast<std::int64_t>(ledger_.size() - before);
  check_ledger_tables();
  return true;
}

}  // namespace verdigris::bench
