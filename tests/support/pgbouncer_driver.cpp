#include "tests/support/pgbouncer_driver.hpp"

#include <fstream>
#include <iterator>

namespace verdigris::test {

using namespace std::chrono_literals;

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

Clients::Clients(const std::vector<Conninfo>& through) {
  for (const auto& conninfo : through) threads_.emplace_back([this, conninfo] { run(conninfo); });
}

void Clients::stop() {
  is_stopping_ = true;
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
}

bool Clients::wait_for(const std::string& server, int more) const {
  const int from = answers(server);
  for (const auto deadline = soon(); !deadline.has_passed(); std::this_thread::sleep_for(1ms))
    if (answers(server) >= from + more) return true;
  return false;
}

void Clients::run(const Conninfo& conninfo) {
  try {
    const auto began = Deadline::Clock::now();
    auto session = Connection::open_plain(conninfo, {"client", "client", false, {}}, soon());
    note_wait(began);
    while (!is_stopping_) ask(session);
  } catch (const Error& error) {
    ++errors_;
    ADD_FAILURE() << "a client saw: " << error.what();
  }
}

void Clients::ask(Connection& session) {
  const auto began = Deadline::Clock::now();
  const auto name = session.query(Sql("SELECT current_setting('cluster_name')"), soon()).one_row(1).text(0);
  note_wait(began);
  ++(name == "green" ? green_ : blue_);
  std::this_thread::sleep_for(1ms);
}

void Clients::note_wait(Deadline::Clock::time_point began) {
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - began).count();
  for (auto most = longest_.load(); took > most && !longest_.compare_exchange_weak(most, took);) continue;
}

PgBouncerDriver::PgBouncerDriver() : pair_(shared_pair(15, 15)) {}

void PgBouncerDriver::start(const PoolerOptions& options) {
  for (const char* name : {"a", "b"}) poolers_.push_back(pair_.pooler(name, options));
}

PoolerSettings PgBouncerDriver::settings(std::chrono::milliseconds pause_timeout) const {
  PoolerSettings result;
  for (const auto& pooler : poolers_)
    result.instances.push_back({pooler.dir().filename(), pooler.admin(), pooler.ini()});
  result.databases = {"shop"};
  result.pause_timeout = pause_timeout;
  return result;
}

Endpoint PgBouncerDriver::endpoint(PostgresServer& server) {
  return {server.dir().string(), std::to_string(server.port()), "shop"};
}

std::vector<Conninfo> PgBouncerDriver::everywhere(int each) const {
  std::vector<Conninfo> result;
  for (int i = 0; i < each; ++i)
    for (const auto& pooler : poolers_) result.push_back(pooler.client("app", "shop"));
  return result;
}

PgBouncerConsole PgBouncerDriver::console(std::size_t which) const {
  return PgBouncerConsole::open("test", poolers_[which].admin(), soon());
}

std::string PgBouncerDriver::refusal(const PoolerSettings& with, std::string* text) const {
  PgBouncerTraffic traffic(with);
  return error_of([&] { traffic.require_ready(blue(), 5s, soon()); }, text);
}

Connection PgBouncerDriver::open_transaction() const {
  auto session = Connection::open_plain(poolers_[1].client("app", "shop"), {"client", "report", false, {}}, soon());
  session.execute(Sql("BEGIN"), soon());
  session.execute(Sql("SELECT 1"), soon());
  return session;
}

}  // namespace verdigris::test
