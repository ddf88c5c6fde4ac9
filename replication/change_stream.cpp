#include "replication/change_stream.hpp"

#include <poll.h>

#include <chrono>
#include <thread>

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAskAgain{2};
constexpr int kTrials = 5;  // the slot may move on while it is copied

// Big-endian numbers and strings of the protocol, read from the front.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const char byte : take(bytes)) value = value << 8U | static_cast<unsigned char>(byte);
    return value;
  }
  char letter() { return take(1).front(); }
  std::string text() {
    const auto end = rest_.find('\0');
    if (end == std::string_view::npos) broken();
    const std::string value(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return value;
  }
  std::string_view take(std::size_t bytes) {
    if (rest_.size() < bytes) broken();
    const auto part = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return part;
  }
  std::string_view rest() const { return rest_; }

 private:
  [[noreturn]] static void broken() {
    throw Error("stream.format", "a message of logical replication ends too early",
                "Report it with both servers' versions; meanwhile cutover.verify.in_pause: full does without it.");
  }
  std::string_view rest_;
};

using Values = std::vector<std::optional<std::string>>;

Values tuple(Reader& reader) {
  Values values(reader.number(2));
  for (auto& value : values) {
    const char kind = reader.letter();
    if (kind == 't' || kind == 'b') value = std::string(reader.take(reader.number(4)));
  }
  return values;
}

void append_number(std::string& message, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) message += static_cast<char>(value >> static_cast<unsigned>(shift) & 0xFFU);
}

// Keys are compared as text with those of other sessions, which are pinned so (connection.hpp, sessions.hpp).
void pin_text(Connection& session, Deadline deadline) {
  session.execute(Sql(R"(
      SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET extra_float_digits = 3;
      SET bytea_output = 'hex'; SET xmlbinary = 'base64'; SET lc_monetary = 'C'; SET search_path = pg_catalog, pg_temp)"),
                  deadline);
}

void copy_slot(Connection& session, const std::string& from, const std::string& to, Deadline deadline) {
  for (int trial = 1;; ++trial) {
    try {
      session.query(Sql("SELECT pg_copy_logical_replication_slot({}, {}, true, 'pgoutput')", Literal(from), Literal(to)), deadline);
      return;
    } catch (const ServerError&) {
      if (trial == kTrials || deadline.has_passed()) throw;
      std::this_thread::sleep_for(milliseconds{20});
    }
  }
}

Sql start_statement(const std::string& slot, const Streams& streams) {
  std::vector<Identifier> publications;
  for (const auto& stream : streams) publications.push_back(stream.identifier());
  return Sql("START_REPLICATION SLOT {} LOGICAL 0/0 (proto_version '1', publication_names {})", Identifier(slot),
             Literal(Sql::joined(publications, ",").text()));
}

}  // namespace

ChangeStream::ChangeStream(const Server& server, const Streams& like, ChangeSink& sink, Deadline deadline)
    : session_(server.open_replication(deadline)), sink_(sink) {
  pin_text(session_, deadline);
  const std::string slot = "verdigris_chk_" + std::to_string(session_.backend_pid());
  copy_slot(session_, like.first().name, slot, deadline);
  session_.query(start_statement(slot, like), deadline);
}

void ChangeStream::pump(Deadline until) {
  for (;;) {
    while (take_message())
      if (until.has_passed()) return;
    pollfd socket{PQsocket(session_.native()), POLLIN, 0};
    ::poll(&socket, 1, static_cast<int>(until.remaining().count()));
    if (PQconsumeInput(session_.native()) == 0)
      throw ConnectionLost(session_.server(), std::string("change stream: ") + PQerrorMessage(session_.native()));
    if (until.has_passed()) {
      while (take_message()) {}
      return;
    }
  }
}

bool ChangeStream::read_to(Lsn position, Deadline deadline) {
  while (received_ < position) {
    if (deadline.has_passed()) return false;
    send_status(true);
    pump(Deadline::after(kAskAgain).or_earlier(deadline));
  }
  return true;
}

void ChangeStream::confirm(Lsn position) {
  if (position <= confirmed_) return;
  confirmed_ = position;
  send_status(false);
}

void ChangeStream::send_status(bool asks_for_reply) {
  std::string message = "r";
  for (int i = 0; i < 3; ++i) append_number(message, confirmed_.value());
  append_number(message, 0);  // our clock: nobody reads it
  message += asks_for_reply ? '\1' : '\0';
  PQputCopyData(session_.native(), message.data(), static_cast<int>(message.size()));
  PQflush(session_.native());  // what does not fit goes with the next one
}

bool ChangeStream::take_message() {
  char* raw = nullptr;
  const int size = PQgetCopyData(session_.native(), &raw, 1);
  if (size == 0) return false;
  if (size < 0)
    throw ConnectionLost(session_.server(), std::string("change stream: ") + PQerrorMessage(session_.native()));
  const std::unique_ptr<char, decltype(&PQfreemem)> owned(raw, &PQfreemem);
  handle({raw, static_cast<std::size_t>(size)});
  return true;
}

void ChangeStream::handle(std::string_view message) {
  Reader reader(message);
  const char kind = reader.letter();
  if (kind == 'k') {
    received_ = std::max(received_, Lsn(reader.number(8)));
    reader.number(8);
    if (reader.letter() == '\1') send_status(false);
  } else if (kind == 'w') {
    reader.take(24);
    handle_change(reader.rest());
  }
}

// Protocol version 1: whole transactions, in the order of their commits; B names the commit, C ends it. Whether somebody
// else's stream brought one (O) makes no difference: its triggers may have written more than it.
void ChangeStream::handle_change(std::string_view message) {
  Reader reader(message);
  const char kind = reader.letter();
  if (kind == 'B') {
    commit_ = Lsn(reader.number(8));
  } else if (kind == 'C') {
    reader.take(9);
    received_ = std::max(received_, Lsn(reader.number(8)));
  } else if (kind == 'R') {
    read_relation(reader.rest());
  } else if (kind == 'T') {
    const auto count = reader.number(4);
    reader.letter();
    for (std::uint64_t i = 0; i < count; ++i)
      sink_.truncated(relations_.at(static_cast<std::uint32_t>(reader.number(4))), commit_);
  } else if (kind == 'I' || kind == 'U' || kind == 'D') {
    const auto& relation = relations_.at(static_cast<std::uint32_t>(reader.number(4)));
    // The old row (K: its key, O: all of it) comes where the key has changed, and of what is gone; then the new one.
    while (!reader.rest().empty()) {
      reader.letter();
      sink_.row_changed(relation, tuple(reader), commit_);
    }
  }
}

void ChangeStream::read_relation(std::string_view rest) {
  Reader reader(rest);
  const auto id = static_cast<std::uint32_t>(reader.number(4));
  std::string schema = reader.text();
  if (schema.empty()) schema = "pg_catalog";
  ChangedRelation relation{QualifiedName(std::move(schema), reader.text()), {}};
  reader.letter();
  const auto columns = reader.number(2);
  for (std::uint64_t i = 0; i < columns; ++i) {
    reader.letter();
    relation.columns.push_back(reader.text());
    reader.take(8);
  }
  relations_.insert_or_assign(id, std::move(relation));
}

}  // namespace verdigris
