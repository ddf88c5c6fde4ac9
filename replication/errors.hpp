// What can go wrong, as types. Text follows PostgreSQL: what, on which server, why; lower case, no full stop; the hint is
// one sentence. Each error has a stable id. The Failure says which exit code it ends in (controller/exit_codes.hpp).
#pragma once

#include <stdexcept>
#include <string>

namespace verdigris {

enum class Failure { failed, usage, refused, differs, undone, needs_human, timed_out, busy };

class Error : public std::runtime_error {
 public:
  Error(std::string id, const std::string& what, std::string hint = {}, Failure failure = Failure::failed)
      : std::runtime_error(what), id_(std::move(id)), hint_(std::move(hint)), failure_(failure) {}

  const std::string& id() const { return id_; }
  const std::string& hint() const { return hint_; }
  Failure failure() const { return failure_; }

 private:
  std::string id_;
  std::string hint_;
  Failure failure_;
};

// What the user wrote cannot be meant: a playbook, an option.
inline Error misuse(std::string id, const std::string& text, std::string hint = {}) {
  return {std::move(id), text, std::move(hint), Failure::usage};
}

// A statement was answered by an error of the server. The connection can be used further (outside of COPY).
class ServerError : public Error {
 public:
  ServerError(const std::string& server, const std::string& message, std::string sqlstate, std::string hint = {})
      : Error("server-error", server + ": " + message, std::move(hint)), sqlstate_(std::move(sqlstate)) {}
  const std::string& sqlstate() const { return sqlstate_; }

 private:
  std::string sqlstate_;
};

// The session is gone. What it had committed stands; an open transaction is rolled back by the server.
class ConnectionLost : public Error {
 public:
  ConnectionLost(const std::string& server, const std::string& why)
      : Error("connection-lost", server + ": connection lost: " + why) {}
};

// A login did not succeed: unreachable, refused or wrong credentials. sqlstate() is empty if no server answered.
class CannotConnect : public Error {
 public:
  CannotConnect(const std::string& server, const std::string& why, std::string sqlstate, std::string hint)
      : Error("cannot-connect", server + ": cannot connect: " + why, std::move(hint)), sqlstate_(std::move(sqlstate)) {}
  const std::string& sqlstate() const { return sqlstate_; }

 private:
  std::string sqlstate_;
};

// Whoever is there has not answered in time: unlike one that refuses, it may be alive and answer later.
class NoAnswer : public CannotConnect {
 public:
  NoAnswer(const std::string& server, std::string hint) : CannotConnect(server, "no answer in time", {}, std::move(hint)) {}
};

// The deadline of a call passed. Its connection is closed: an answer that comes late must not meet a later question.
class DeadlinePassed : public Error {
 public:
  explicit DeadlinePassed(const std::string& what, std::string hint = {})
      : Error("deadline-passed", what, std::move(hint), Failure::timed_out) {}
};

// The connection was lost, or a warning came, while COMMIT was under way: it may stand or not. Settled by reading, once
// a new session holds that side's lease; before that the row may still appear.
class OutcomeUnknown : public Error {
 public:
  OutcomeUnknown(const std::string& server, const std::string& why)
      : Error("outcome-unknown", server + ": outcome of COMMIT unknown: " + why) {}
};

// A guardrail refused before any change.
class Refused : public Error {
 public:
  Refused(std::string id, const std::string& what, std::string hint = {})
      : Error(std::move(id), what, std::move(hint), Failure::refused) {}
};

// The evidence does not allow a safe act; the hint holds the commands for a person.
class NeedsHuman : public Error {
 public:
  NeedsHuman(std::string id, const std::string& what, std::string hint)
      : Error(std::move(id), what, std::move(hint), Failure::needs_human) {}
};

}  // namespace verdigris
