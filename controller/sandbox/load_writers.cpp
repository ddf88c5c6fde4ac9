#include "controller/sandbox/load_writers.hpp"

#include <fmt/format.h>

#include <thread>

#include "controller/sandbox/roles.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kWriterPatience = 90s;  // longer than any pause that a playbook of the sandbox allows
constexpr std::size_t kMostErrorTexts = 10;

double ms(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

std::int64_t write_ledger(Transaction& transaction, int writer, std::int64_t n) {
  return transaction.query(ledger_write(), {std::to_string(writer), std::to_string(n)}).one_row(1).integer(0);
}

bool has_table(Connection& session, const std::string& name) {
  const Result found =
      session.query(Sql("SELECT pg_catalog.to_regclass($1) IS NOT NULL"), {name}, Deadline::after(kWriterPatience));
  return found.one_row(1).boolean(0);
}

// The bench's dataset: many small tables all alike (bench/dataset.hpp), of which the first are written to.
std::vector<Sql> business_of_items(Connection& session) {
  constexpr int kMostWritten = 20;
  std::vector<Sql> result;
  for (int number = 1; number <= kMostWritten; ++number) {
    const auto name = fmt::format("item_{:04}", number);
    if (!has_table(session, "public." + name)) break;
    const QualifiedName table("public", name);
    result.push_back(Sql("UPDATE {} SET amount = amount + 1 WHERE id = $1::bigint % 20 + 1", table));
    if (number % 4 == 1)
      result.push_back(Sql("INSERT INTO {} (code, amount) VALUES ('load', $1::bigint % 1000)", table));
  }
  return result;
}

// What the shop does all day, of that what the dataset at hand has tables for. $1 is the write's number.
std::vector<Sql> business_of(Connection& session) {
  if (!has_table(session, "public.customers")) return business_of_items(session);
  std::vector<Sql> result{Sql("UPDATE public.customers SET credit = credit + 1 WHERE id = $1::bigint % 100 + 1"),
                          Sql(R"(INSERT INTO public.orders (placed, region, customer, total, comment)
             VALUES (date '2025-06-01' + ($1::bigint % 300)::int, 'eu', $1::bigint % 100 + 1, 9.99, 'from the load'))")};
  if (has_table(session, "public.coupons"))
    result.push_back(Sql("UPDATE public.coupons SET discount = $1::bigint % 50 WHERE code = 'C' || $1::bigint % 100"));
  if (has_table(session, "public.batches"))
    result.push_back(Sql("INSERT INTO public.batches (started) SELECT '12:00' WHERE $1::bigint > 0"));
  if (has_table(session, "public.translations"))
    result.push_back(
        Sql(R"(DELETE FROM public.translations WHERE language = 'ja' AND key = 'k' || $1::bigint % 1000)"));
  return result;
}

}  // namespace

// Two tables, a running sum and a sequence: what a lost or doubled write cannot hide from.
Sql ledger_write() {
  return Sql(R"(
      WITH a AS (INSERT INTO public.ledger_a (writer, n, seq_value)
                 VALUES ($1, $2, pg_catalog.nextval('public.ledger_seq')) RETURNING seq_value),
           b AS (INSERT INTO public.ledger_b (writer, n) VALUES ($1, $2)),
           t AS (INSERT INTO public.ledger_totals AS total (writer, count, sum) VALUES ($1, 1, $2)
                 ON CONFLICT (writer) DO UPDATE SET count = total.count + 1, sum = total.sum + excluded.sum)
      SELECT seq_value FROM a)");
}

// Seconds of the clock times 1000 grow faster than any client writes here, and their sum over millions of rows still
// fits a bigint.
std::int64_t first_number_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count() *
         1000;
}

PooledClient::PooledClient(const LoadContext& context, int writer)
    : context_(context), writer_(writer), n_(context.first_number), ledger_(context.ledger) {}

void PooledClient::run() {
  try {
    connect();  // before the schedule begins: a first login is not what is measured
  } catch (const Error&) {
    // the first write tries again and tells
  }
  const auto period =
      std::chrono::duration_cast<Clock::duration>(1s) * context_.options.clients / context_.options.rate;
  auto due = context_.start + period * (writer_ - context_.options.first_writer) / context_.options.clients;
  for (; !context_.is_over; due += period) {
    wait_until(due);
    if (context_.is_over) return;
    const auto began = Clock::now();
    tally.longest_lateness_ms = std::max(tally.longest_lateness_ms, ms(began - due));
    try {
      connect();
      write();
      note_wait(began);
    } catch (const OutcomeUnknown& error) {
      session_.reset();
    } catch (const Error& error) {
      note_error(error.what());
      std::this_thread::sleep_for(10ms);
    }
  }
}

void PooledClient::wait_until(Clock::time_point when) const {
  while (!context_.is_over && Clock::now() < when)
    std::this_thread::sleep_for(std::min<Clock::duration>(when - Clock::now(), 50ms));
}

void PooledClient::connect() {
  if (session_ && session_->is_open()) return;
  const auto& ways = context_.options.ways;
  const auto way = ways.empty() ? context_.sandbox.conninfo(context_.sandbox.pooler, kPoolUser.user) : ways[way_];
  try {
    session_ = Connection::open_plain(way, {"pooler", "shop/client", false, {}}, Deadline::after(kWriterPatience));
  } catch (const CannotConnect&) {
    if (!ways.empty()) way_ = (way_ + 1) % ways.size();
    throw;
  }
  if (business_.empty()) business_ = business_of(*session_);
}

void PooledClient::write() {
  const auto n = ++n_;
  std::int64_t seq_value = 0;
  try {
    Transaction transaction(*session_, Deadline::after(kWriterPatience));
    seq_value = write_ledger(transaction, writer_, n);
    transaction.query(business_[static_cast<std::size_t>(n) % business_.size()],
                      {std::to_string(n + 13 * writer_)});  // 13: clients in step would queue for one row
    if ((n + 13 * writer_) % 100 < context_.options.slow_percent) transaction.execute(Sql("SELECT pg_sleep(0.2)"));
    transaction.commit();
  } catch (const OutcomeUnknown& error) {
    ledger_.add(false, writer_, n, seq_value);
    ++tally.unknown;
    note_error(error.what());
    throw;
  }
  ledger_.add(true, writer_, n, seq_value);
  ++tally.acknowledged;
}

void PooledClient::note_error(const std::string& text) {
  ++tally.errors;
  const double at = std::chrono::duration<double>(Clock::now() - context_.start).count();
  if (tally.error_texts.size() < kMostErrorTexts) tally.error_texts.push_back(fmt::format("{:.3f} s: {}", at, text));
}

void PooledClient::note_wait(Clock::time_point began) {
  const double wait = ms(Clock::now() - began);
  tally.waits_ms.push_back(static_cast<float>(wait));
  if (wait <= tally.longest_wait_ms) return;
  tally.longest_wait_ms = wait;
  tally.longest_wait_at = std::chrono::duration<double>(began - context_.start).count();
}

DirectWriter::DirectWriter(const LoadContext& context, const SandboxServer& server, int writer, bool waits_for_fence)
    : context_(context),
      server_(server),
      writer_(writer),
      waits_for_fence_(waits_for_fence),
      n_(context.first_number),
      ledger_(context.ledger) {}

// Its triggers; later, when the way back is given up, they go, and a writer that has begun goes on.
bool DirectWriter::has_fence() const {
  auto session = Connection::open(context_.sandbox.conninfo(server_, "verdigris"),
                                  {"direct", "verdigris/sandbox/load", true, {}}, Deadline::after(10s));
  const Result found =
      session.query(Sql("SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'verdigris_fence' AND tgrelid = "
                        "to_regclass('public.ledger_b'))"),
                    Deadline::after(10s));
  return found.one_row(1).boolean(0);
}

void DirectWriter::run() {
  // A rest after each session, however long it took: on a slow machine, too, there are moments without one.
  for (auto due = context_.start; !context_.is_over; due = Clock::now() + context_.options.direct_rest) {
    std::this_thread::sleep_until(due);
    try {
      if (waits_for_fence_ && !has_fence()) continue;
      waits_for_fence_ = false;
      write();
    } catch (const OutcomeUnknown&) {
      ++tally.unknown;
    } catch (const CannotConnect& error) {
      ++(error.sqlstate().empty() || error.sqlstate() == "57P03" ? tally.unreachable : tally.refused);
    } catch (const DeadlinePassed&) {
      ++tally.unreachable;
    } catch (const Error&) {
      ++tally.refused;  // the fence's own error, a session ended by it, or a table that is not there yet
    }
  }
}

// A new session each time, in turn as an ordinary role and as a superuser, whom a connection limit does not stop.
void DirectWriter::write() {
  const auto n = ++n_;
  const bool is_admin = n % 2 == 0;
  const int writer = writer_ + (is_admin ? 1 : 0);
  const auto deadline = Deadline::after(10s);
  auto session =
      Connection::open_plain(context_.sandbox.conninfo(server_, is_admin ? kDirectAdmin.user : kDirectWriter.user),
                             {"direct", "shop/direct", false, {}}, deadline);
  std::int64_t seq_value = 0;
  try {
    Transaction transaction(session, deadline);
    seq_value = write_ledger(transaction, writer, n);
    transaction.commit();
  } catch (const OutcomeUnknown&) {
    ledger_.add(false, writer, n, seq_value);
    throw;
  }
  ledger_.add(true, writer, n, seq_value);
  ++tally.acknowledged;
}

}  // namespace verdigris
