#include "bench/parity_load.hpp"

#include <chrono>

#include "bench/copier.hpp"

namespace verdigris::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kWrittenRows = 20'000;

}  // namespace

void create_written_table(World& world) {
  auto on = world.session("blue", kCopied);
  const auto deadline = Deadline::after(120s);
  on.execute(Sql("SET ROLE app_owner"), deadline);
  on.execute(Sql(R"(
      CREATE TABLE public.written (id int PRIMARY KEY, amount int NOT NULL, note text) WITH (fillfactor = 70);
      INSERT INTO public.written SELECT i, 0, 'note' FROM generate_series(1, {}) i)",
                 Number(kWrittenRows)),
             deadline);
}

ParityLoad::ParityLoad(World& world, int clients, int rate) {
  for (int client = 0; client < clients; ++client)
    clients_.emplace_back([this, &world, client, between = double(clients) / rate] { write(world, client, between); });
}

ParityLoad::~ParityLoad() { stop(); }

void ParityLoad::stop() {
  is_over_ = true;
  for (auto& client : clients_)
    if (client.joinable()) client.join();
}

// A wait counts from when the transaction was due: who is held up for a second has not done one slow transaction.
void ParityLoad::write(World& world, int client, double seconds_between) {
  auto on = world.session("blue", kCopied);
  const auto between = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds_between));
  auto due = Clock::now();
  for (std::int64_t n = client + 1; !is_over_; n += 7919) {
    on.execute(Sql("UPDATE public.written SET amount = amount + 1 WHERE id = {}", Number(1 + n % kWrittenRows)), Deadline::after(60s));
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - due).count();
    {
      const std::lock_guard lock(mutex_);
      times_.push_back(ms);
    }
    due = std::max(due + between, Clock::now() - 1s);
    std::this_thread::sleep_until(due);
  }
}

std::vector<double> ParityLoad::take_times() {
  const std::lock_guard lock(mutex_);
  return std::exchange(times_, {});
}

}  // namespace verdigris::bench
