#include "replication/connection.hpp"

#include <poll.h>

#include <utility>

#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

std::string trimmed(const char* message) {
  std::string text = message == nullptr ? "" : message;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

void collect_notice(void* sink, const PGresult* notice) {
  const char* severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  const char* message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
  auto& list = *static_cast<std::vector<std::string>*>(sink);
  constexpr std::size_t kMostKept = 100;  // a flood of notices must not fill the memory
  if (list.size() < kMostKept)
    list.push_back(std::string(severity == nullptr ? "NOTICE" : severity) + ": " + trimmed(message));
}

// Waits for the socket; false when the deadline passed first.
bool wait_socket(int socket, short events, Deadline deadline) {
  pollfd descriptor{socket, events, 0};
  for (;;) {
    const int ready = ::poll(&descriptor, 1, static_cast<int>(deadline.remaining().count()));
    if (ready > 0) return true;
    if (deadline.has_passed()) return false;
  }
}

// libpq says the reason in the last line and repeats "connection to server at ... failed:" before it.
std::string connect_hint(const std::string& message) {
  if (message.find("password authentication failed") != std::string::npos)
    return "Check the user's password in the passfile or service file.";
  if (message.find("no password supplied") != std::string::npos)
    return "Write the password into a passfile (mode 0600) and name it with passfile=.";
  if (message.find("does not exist") != std::string::npos) return "Check host, port, user and dbname.";
  return "Check that the server runs and that host and port are right.";
}

std::string sqlstate_of(const std::string& message) {
  // PQconnectPoll gives no SQLSTATE up to libpq 15; the texts of the cases that we tell apart are stable in English.
  if (message.find("password authentication failed") != std::string::npos) return "28P01";
  if (message.find("permission denied for database") != std::string::npos) return "42501";
  if (message.find("too many connections for database") != std::string::npos) return "53300";
  if (message.find("starting up") != std::string::npos || message.find("shutting down") != std::string::npos)
    return "57P03";
  if (message.find("FATAL:") != std::string::npos) return "XX000";
  return {};
}

}  // namespace

namespace {

// The client's half of the keepalives: a server whose host vanished is noticed in about 6 s, not after hours.
Conninfo with_keepalives(Conninfo conninfo) {
  const std::pair<const char*, const char*> defaults[] = {
      {"keepalives_idle", "3"}, {"keepalives_interval", "1"}, {"keepalives_count", "3"}, {"tcp_user_timeout", "6000"}};
  for (const auto& [key, value] : defaults)
    if (!conninfo.has(key)) conninfo = conninfo.with(key, value);
  return conninfo;
}

// As libpq takes them; they point into `params`.
std::vector<const char*> texts_of(const Params& params) {
  std::vector<const char*> values;
  values.reserve(params.size());
  for (const auto& param : params) values.push_back(param ? param->c_str() : nullptr);
  return values;
}

}  // namespace

std::string text_array(const std::vector<std::string>& values) {
  std::string out = "{";
  for (const auto& value : values) {
    if (out.size() > 1) out += ',';
    out += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + '}';
}

Connection::Connection(PGconn* owned, std::string server)
    : server_(std::move(server)),
      notices_(std::make_unique<std::vector<std::string>>()),
      connection_(owned, &PQfinish) {
  PQsetNoticeReceiver(owned, &collect_notice, notices_.get());
}

Connection Connection::open_plain(const Conninfo& conninfo, const SessionOptions& options, Deadline deadline) {
  auto values = conninfo.values();
  values["application_name"] = options.application_name;
  values.try_emplace("client_encoding", "UTF8");
  std::vector<const char*> keys;
  std::vector<const char*> texts;
  for (const auto& [key, value] : values) {
    keys.push_back(key.c_str());
    texts.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  texts.push_back(nullptr);
  PGconn* raw = PQconnectStartParams(keys.data(), texts.data(), 0);
  if (raw == nullptr) throw CannotConnect(options.server, "out of memory", {}, {});
  Connection result(raw, options.server);
  PostgresPollingStatusType next = PQstatus(raw) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) {
      const std::string why = trimmed(PQerrorMessage(raw));
      throw CannotConnect(options.server, why, sqlstate_of(why), connect_hint(why));
    }
    if (!wait_socket(PQsocket(raw), next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline))
      throw NoAnswer(options.server, connect_hint({}));
    next = PQconnectPoll(raw);
  }
  PQsetnonblocking(raw, 1);
  return result;
}

namespace {

[[noreturn]] void refuse_pooler(const std::string& server, const std::string& why) {
  throw Refused("server.pooler", server + ": a pooler answers there, not the server: " + why,
                "Name the server's own host and port: the controller and the servers never connect through a pooler.");
}

// PgBouncer knows no options, or ignores them if it is told to; a server always says back what it was told.
Connection open_on_server(const Conninfo& conninfo, const SessionOptions& options, Deadline deadline) {
  try {
    Connection result = Connection::open_plain(conninfo, options, deadline);
    const char* style = PQparameterStatus(result.native(), "DateStyle");
    if (style != nullptr && std::string_view(style) != "ISO, YMD") refuse_pooler(options.server, "settings are ignored");
    return result;
  } catch (const CannotConnect& error) {
    const std::string what = error.what();
    if (const auto at = what.find("unsupported startup parameter"); at != std::string::npos)
      refuse_pooler(options.server, what.substr(at));
    throw;
  }
}

}  // namespace

namespace {

bool says(const Connection& session, const char* parameter, std::string_view value) {
  const char* text = PQparameterStatus(session.native(), parameter);
  return text != nullptr && text == value;
}

// What cannot be asked for at login, since it depends on who answers there.
Sql session_statement(const Connection& session, bool has_encoding) {
  std::vector<Sql> settings;
  // Unknown to older majors, and a role's default for them ended a lease's session (cutover.md).
  if (session.major() >= 14) settings.push_back(Sql("SET idle_session_timeout = 0"));
  if (session.major() >= 17) settings.push_back(Sql("SET transaction_timeout = 0"));
  // Of no encoding: as UTF-8 it would refuse to show what it holds.
  if (!has_encoding && says(session, "server_encoding", "SQL_ASCII"))
    settings.push_back(Sql("SET client_encoding = 'SQL_ASCII'"));
  if (says(session, "is_superuser", "on")) {
    settings.push_back(Sql("SET session_replication_role = origin"));
    // Those of the application have no answer to give to our DDL.
    if (session.major() >= 17) settings.push_back(Sql("SET event_triggers = off"));
  }
  return settings.empty() ? Sql("SELECT 1") : Sql::joined(settings, "; ");
}

}  // namespace

Connection Connection::open(const Conninfo& conninfo, const SessionOptions& options, Deadline deadline) {
  auto pinned = with_keepalives(conninfo);
  // Server-side keepalives free the lease of a vanished host in about 6 s (faults P33).
  std::string settings =
      "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3 "
      "-c search_path=pg_catalog,pg_temp -c synchronous_commit=on "
      "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c row_security=off -c jit=off "
      "-c standard_conforming_strings=on -c lc_messages=C -c DateStyle=ISO,YMD -c IntervalStyle=postgres -c TimeZone=UTC "
      "-c extra_float_digits=3 -c bytea_output=hex -c default_transaction_isolation=read\\ committed "
      "-c default_transaction_read_only=";
  settings += options.read_only ? "on" : "off";
  for (const auto& [name, value] : options.settings) settings += " -c " + name + "=" + value;
  pinned = pinned.with("options", settings);
  Connection result = open_on_server(pinned, options, deadline);
  result.execute(session_statement(result, conninfo.has("client_encoding")), deadline);
  return result;
}

void Connection::require_open() const {
  if (!connection_) throw ConnectionLost(server_, "the session was closed before");
}

void Connection::fail_lost() {
  const std::string why = trimmed(PQerrorMessage(connection_.get()));
  close();
  throw ConnectionLost(server_, why.empty() ? "no reason given" : why);
}

void Connection::wait_readable(Deadline deadline, const char* during) {
  if (wait_socket(PQsocket(connection_.get()), POLLIN, deadline)) return;
  close();
  throw DeadlinePassed(server_ + ": no answer in time while " + during);
}

void Connection::flush(Deadline deadline) {
  for (;;) {
    const int state = PQflush(connection_.get());
    if (state == 0) return;
    if (state < 0) fail_lost();
    if (!wait_socket(PQsocket(connection_.get()), POLLIN | POLLOUT, deadline)) {
      close();
      throw DeadlinePassed(server_ + ": the server took no more of a statement in time");
    }
    if (PQconsumeInput(connection_.get()) == 0) fail_lost();
  }
}

void Connection::send(const Sql& sql, Deadline deadline) {
  require_open();
  if (PQsendQuery(connection_.get(), sql.text().c_str()) == 0) fail_lost();
  flush(deadline);
}

void Connection::send(const Sql& sql, const Params& params, Deadline deadline) {
  require_open();
  const auto values = texts_of(params);
  if (PQsendQueryParams(connection_.get(), sql.text().c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                        nullptr, nullptr, 0) == 0)
    fail_lost();
  flush(deadline);
}

const std::string& Connection::prepared(const Sql& sql, Deadline deadline) {
  const auto found = prepared_.find(sql.text());
  if (found != prepared_.end()) return found->second;
  const std::string name = "verdigris_" + std::to_string(prepared_.size() + 1);
  require_open();
  if (PQsendPrepare(connection_.get(), name.c_str(), sql.text().c_str(), 0, nullptr) == 0) fail_lost();
  flush(deadline);
  receive(deadline);
  return prepared_.emplace(sql.text(), name).first->second;
}

void Connection::send_prepared(const Sql& sql, const Params& params, Deadline deadline) {
  const std::string& name = prepared(sql, deadline);
  const auto values = texts_of(params);
  if (PQsendQueryPrepared(connection_.get(), name.c_str(), static_cast<int>(values.size()), values.data(), nullptr, nullptr,
                          0) == 0)
    fail_lost();
  flush(deadline);
}

bool Connection::has_answer() {
  require_open();
  if (PQisBusy(connection_.get()) == 0) return true;
  if (PQconsumeInput(connection_.get()) == 0) fail_lost();
  return PQisBusy(connection_.get()) == 0;
}

Result Connection::receive(Deadline deadline) {
  require_open();
  std::optional<Result> last;
  std::optional<ServerError> error;
  for (;;) {
    while (PQisBusy(connection_.get()) == 1) {
      wait_readable(deadline, "waiting for an answer");
      if (PQconsumeInput(connection_.get()) == 0) fail_lost();
    }
    Result next(PQgetResult(connection_.get()));
    if (next.native() == nullptr) break;
    const auto status = PQresultStatus(next.native());
    if (status == PGRES_FATAL_ERROR && !error) {
      const char* state = PQresultErrorField(next.native(), PG_DIAG_SQLSTATE);
      if (state == nullptr) fail_lost();
      const char* hint = PQresultErrorField(next.native(), PG_DIAG_MESSAGE_HINT);
      error.emplace(server_, trimmed(PQresultErrorField(next.native(), PG_DIAG_MESSAGE_PRIMARY)), state,
                    hint == nullptr ? "" : hint);
    }
    last = std::move(next);
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) break;
  }
  if (PQstatus(connection_.get()) == CONNECTION_BAD) fail_lost();
  if (error) throw *error;
  if (!last) throw Error("unexpected-shape", server_ + ": no result");
  return std::move(*last);
}

Result Connection::query(const Sql& sql, Deadline deadline) {
  send(sql, deadline);
  return receive(deadline);
}

Result Connection::query(const Sql& sql, const Params& params, Deadline deadline) {
  send(sql, params, deadline);
  return receive(deadline);
}

Result Connection::query_prepared(const Sql& sql, const Params& params, Deadline deadline) {
  send_prepared(sql, params, deadline);
  return receive(deadline);
}

// What is lost on the way to a commit may stand or not; a WARNING means that a wait for a synchronous standby was
// cancelled, and the commit stands here only.
template <class Act>
Result Connection::committed(Act act) {
  take_notices();
  std::optional<Result> result;
  try {
    result = act();
  } catch (const ConnectionLost& error) {
    throw OutcomeUnknown(server_, error.what());
  } catch (const DeadlinePassed& error) {
    throw OutcomeUnknown(server_, error.what());
  }
  for (const auto& notice : take_notices()) {
    if (!notice.starts_with("WARNING") || is_mutant("commit_warning_ignored")) continue;
    close();  // so that the next act needs a new session with the lease, and reads what stands
    throw OutcomeUnknown(server_, notice);
  }
  return std::move(*result);
}

Result Connection::commit_alone(const Sql& sql, Deadline deadline) {
  return committed([&] { return query(sql, deadline); });
}

Result Connection::commit_alone(const Sql& sql, const Params& params, Deadline deadline) {
  return committed([&] { return query(sql, params, deadline); });
}

Result Connection::commit_prepared(const Sql& sql, const Params& params, Deadline deadline) {
  prepared(sql, deadline);  // lost here, nothing is doubtful
  return committed([&] { return query_prepared(sql, params, deadline); });
}

std::vector<std::string> Connection::take_notices() { return std::exchange(*notices_, {}); }

Transaction::Transaction(Connection& connection, Deadline deadline, Mode mode)
    : connection_(connection), deadline_(deadline) {
  if (mode == Mode::read_write)
    connection_.execute(Sql("BEGIN READ WRITE"), deadline_);
  else
    connection_.execute(Sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"), deadline_);
  is_open_ = true;
}

Transaction::~Transaction() {
  if (!is_open_ || !connection_.is_open()) return;
  try {
    connection_.execute(Sql("ROLLBACK"), Deadline::after(std::chrono::seconds(5)));
  } catch (const std::exception&) {
    connection_.close();  // the server rolls back when the session ends
  }
}

void Transaction::commit() {
  is_open_ = false;
  connection_.committed([&] {
    Result result = connection_.query(Sql("COMMIT"), deadline_);
    if (result.command_tag() != "COMMIT")
      throw ServerError(connection_.server(), "the transaction was rolled back at COMMIT", "25P02");
    return result;
  });
}

}  // namespace verdigris
