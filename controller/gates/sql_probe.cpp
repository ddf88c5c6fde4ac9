#include "controller/gates/sql_probe.hpp"

#include "controller/config_gates.hpp"
#include "controller/config_values.hpp"
#include "controller/printable.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLoginTime{5'000};
constexpr milliseconds kAnswerGrace{2'000};  // beyond the server's own limit, so that it is the server that ends it
constexpr std::size_t kMostOfAnAnswer = 100;

std::string cut_for_show(const std::string& text) { return excerpt(text, kMostOfAnAnswer); }

bool is_not_found(const Error& error) {
  const auto* from_server = dynamic_cast<const ServerError*>(&error);
  return from_server != nullptr && (from_server->sqlstate() == "42P01" || from_server->sqlstate() == "42883");
}

}  // namespace

std::string SqlProbe::describe() const {
  return id() + " " + gate_.expect.written + " on " + on_.color();
}

// By the extended protocol, which takes one statement, in a transaction that reads only and is rolled back.
std::optional<std::string> SqlProbe::answer(Deadline deadline) {
  if (!session_ || !session_->is_open())
    session_.emplace(on_.open("gate", Deadline::after(kLoginTime).or_earlier(deadline), true));
  const auto until = Deadline::after(gate_.timeout + kAnswerGrace);
  Transaction transaction(*session_, until, Transaction::Mode::repeatable_read_only);
  // Ours is pinned to pg_catalog; this one is the operator's text, which names tables as in psql.
  transaction.query(Sql(R"(SELECT set_config('statement_timeout', $1, true),
                                  set_config('search_path', '"$user", public', true))"),
                    {std::to_string(gate_.timeout.count())});
  session_->send(Sql::written_by_operator(gate_.query), Params{}, until);
  return session_->receive(until).one_row(1).text_or_null(0);
}

std::optional<GateAnswer> SqlProbe::ask(Deadline deadline) {
  const std::string hint = "Run it by hand on " + on_.color() + ": " + cut_for_show(gate_.query);
  std::optional<std::string> value;
  try {
    value = answer(deadline);
  } catch (const Error& error) {
    if (dynamic_cast<const ServerError*>(&error) == nullptr) session_.reset();
    return GateAnswer{on_.color() + ": no answer to \"" + cut_for_show(gate_.query) + "\": " + error.what(),
                      is_not_found(error) ? "Name its schema: the search_path is \"$user\", public, as for migrations." : hint};
  }
  if (!value)
    return GateAnswer{on_.color() + ": \"" + cut_for_show(gate_.query) + "\" is NULL, and not " + gate_.expect.written,
                      hint};
  const auto is_met = meets(gate_.expect, *value);
  if (is_met && *is_met) return GateAnswer{};
  return GateAnswer{on_.color() + ": \"" + cut_for_show(gate_.query) + "\" is " +
                        (gate_.expect.is_number && is_met ? *value : "'" + cut_for_show(*value) + "'") +
                        (is_met ? "" : ", which is no number,") + " and not " + gate_.expect.written,
                    hint};
}

}  // namespace verdigris
