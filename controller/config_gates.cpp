#include "controller/config_gates.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "controller/config_playbook.hpp"
#include "controller/config_values.hpp"
#include "controller/suggestion.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr std::size_t kLongestGateId = 40;
constexpr milliseconds kYoungestEnded{1'000};
const std::vector<std::string> kGateKinds{"lag", "long_transactions", "sql", "command"};
const std::vector<std::string> kComparisons{"=", "!=", "<", "<=", ">", ">="};  // in the order of Comparison

// "-12", "3.50"; no exponent, no sign in front of what is positive, no blank.
std::optional<double> as_number(std::string_view text) {
  const auto digits = text.starts_with('-') ? text.substr(1) : text;
  const auto dot = std::min(digits.find('.'), digits.size());
  const auto are_digits = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
  };
  if (!are_digits(digits.substr(0, dot)) || (dot < digits.size() && !are_digits(digits.substr(dot + 1))))
    return std::nullopt;
  double value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Integers beyond 2^53 are told apart, too.
std::optional<int> order_of_numbers(std::string_view one, std::string_view other) {
  std::int64_t left = 0;
  std::int64_t right = 0;
  const auto whole = [](std::string_view text, std::int64_t& into) {
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), into);
    return fault == std::errc{} && end == text.data() + text.size();
  };
  if (whole(one, left) && whole(other, right)) return left < right ? -1 : left > right ? 1 : 0;
  const auto a = as_number(one);
  const auto b = as_number(other);
  if (!a || !b) return std::nullopt;
  return *a < *b ? -1 : *a > *b ? 1 : 0;
}

bool comparison_holds(Comparison how, int order) {
  switch (how) {
    case Comparison::equal: return order == 0;
    case Comparison::different: return order != 0;
    case Comparison::less: return order < 0;
    case Comparison::less_or_equal: return order <= 0;
    case Comparison::greater: return order > 0;
    case Comparison::greater_or_equal: return order >= 0;
  }
  return false;
}

// 'it''s' without its quotes; nothing if it is not quoted as a whole.
std::optional<std::string> unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '\'' || text.back() != '\'') return std::nullopt;
  std::string out;
  const auto inner = text.substr(1, text.size() - 2);
  for (std::size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] == '\'' && (++i == inner.size() || inner[i] != '\'')) return std::nullopt;
    out += inner[i];
  }
  return out;
}

void read_gate_wait(Mapping& gate, milliseconds& into) {
  read_duration(gate, "wait", into, milliseconds{0}, hours{24});
}

LagGate read_lag_gate(Mapping& gate) {
  LagGate read;
  gate.require("max");
  gate.scalar("max", [&](const YamlNode& node) { read.max_bytes = parse_size(node.text, {0, std::int64_t{1} << 50}); });
  read_duration(gate, "stable_for", read.stable_for, milliseconds{0}, hours{1});
  read_gate_wait(gate, read.wait);
  return read;
}

LongTransactionsGate read_long_transactions_gate(Mapping& gate) {
  LongTransactionsGate read;
  gate.require("older_than");
  read_duration(gate, "older_than", read.older_than, milliseconds{0}, hours{24});
  gate.require("action");
  bool is_known = false;
  read_choice(gate, "action", {"wait", "stop", "terminate"}, [&](std::size_t i) {
    read.action = static_cast<TransactionPolicy>(i);
    is_known = true;
  });
  read_gate_wait(gate, read.wait);
  if (!is_known) return read;
  if (read.action == TransactionPolicy::terminate && read.older_than < kYoungestEnded)
    gate.faults().add(gate.place_of("older_than"), "value",
                      fmt::format("\"{}\" is less than 1s: with action: terminate it would end whoever is at work",
                                  gate.name_of("older_than")),
                      "Transactions of less than a second end by themselves before clients are held.");
  if (read.action == TransactionPolicy::wait) {
    gate.require("wait");
  } else if (gate.has("wait")) {
    gate.faults().add(gate.place_of("wait"), "value",
                      fmt::format("\"{}\" means nothing with action: {}", gate.name_of("wait"),
                                  read.action == TransactionPolicy::stop ? "stop" : "terminate"));
  }
  return read;
}

void check_gate_id(const std::string& id) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  const bool is_good =
      !id.empty() && id.size() <= kLongestGateId && id[0] >= 'a' && id[0] <= 'z' && std::ranges::all_of(id, is_allowed);
  if (!is_good)
    throw misuse(
        "value",
        fmt::format("\"{}\" is not the id of a gate: a letter, then at most {} letters, digits, - and _, all small", id,
                    kLongestGateId - 1));
}

void read_gate_id(Mapping& gate, std::string& into) {
  gate.require("id");
  gate.scalar("id", [&](const YamlNode& node) {
    check_gate_id(node.text);
    into = node.text;
  });
}

SqlGate read_sql_gate(Mapping& gate) {
  SqlGate read;
  read_gate_id(gate, read.id);
  gate.require("on");
  gate.scalar("on", [&](const YamlNode& node) {
    parse_choice(node.text, {"blue", "green"});
    read.on = node.text;
  });
  gate.require("query");
  gate.scalar("query", [&](const YamlNode& node) {
    if (node.text.find_first_not_of(" \t\n;") == std::string::npos) throw misuse("value", "the query is empty");
    read.query = node.text;
  });
  gate.require("expect");
  gate.scalar("expect", [&](const YamlNode& node) { read.expect = parse_expectation(node.text); });
  read_duration(gate, "timeout", read.timeout, milliseconds{10}, minutes{1});
  read_gate_wait(gate, read.wait);
  return read;
}

CommandGate read_command_gate(Mapping& gate) {
  CommandGate read;
  read_gate_id(gate, read.id);
  const YamlNode* list = gate.require("argv");
  const auto nodes = gate.scalars("argv");
  for (const YamlNode& node : nodes) read.line.argv.push_back(node.text);
  if (!nodes.empty() && !nodes.front().text.starts_with('/'))
    gate.faults().add(nodes.front().place, "value",
                      fmt::format("\"{}\" is not the absolute path of a program", nodes.front().text),
                      "No shell and no PATH is asked.");
  if (list != nullptr && list->kind == YamlNode::Kind::sequence && list->items.empty())
    gate.faults().add(gate.place_of("argv"), "value", fmt::format("\"{}\" names no program", gate.name_of("argv")));
  gate.require("timeout");
  read_duration(gate, "timeout", read.line.timeout, milliseconds{50}, minutes{10});
  read_gate_wait(gate, read.wait);
  return read;
}

std::optional<GateSettings> read_gate(Mapping& item, const std::string& kind) {
  auto gate = item.mapping(kind);
  if (!gate) return std::nullopt;
  GateSettings read;
  if (kind == "lag")
    read = read_lag_gate(*gate);
  else if (kind == "long_transactions")
    read = read_long_transactions_gate(*gate);
  else if (kind == "sql")
    read = read_sql_gate(*gate);
  else
    read = read_command_gate(*gate);
  gate->close();
  return read;
}

// Which of the kinds it is; nothing, complained about, if it is none or several.
std::optional<std::string> gate_kind_of(ConfigFaults& faults, const YamlNode& node) {
  const auto refuse = [&](Place at, const std::string& why) {
    faults.add(at, "type", why + fmt::format("; one of {} belongs there", fmt::join(kGateKinds, ", ")));
    return std::nullopt;
  };
  if (node.kind != YamlNode::Kind::mapping)
    return refuse(node.place, "an item of \"gates\" must be a mapping with one key");
  if (node.items.size() != 2)
    return refuse(node.place, fmt::format("an item of \"gates\" has {} keys instead of one", node.items.size() / 2));
  const YamlNode& key = node.items.front();
  if (key.is_secret) return std::nullopt;
  if (std::ranges::find(kGateKinds, key.text) != kGateKinds.end()) return key.text;
  faults.add(key.place, "unknown-key",
             fmt::format("\"{}\" is not a kind of gate ({}){}", key.text, fmt::join(kGateKinds, ", "),
                         suggestion(key.text, kGateKinds)));
  return std::nullopt;
}

}  // namespace

std::string gate_id(const GateSettings& gate) {
  if (std::holds_alternative<LagGate>(gate)) return "lag";
  if (std::holds_alternative<LongTransactionsGate>(gate)) return "long_transactions";
  if (const auto* sql = std::get_if<SqlGate>(&gate)) return sql->id;
  return std::get<CommandGate>(gate).id;
}

Expectation parse_expectation(const std::string& text) {
  Expectation read;
  read.written = text;
  const auto refuse = [&] {
    return misuse("value", fmt::format("\"{}\" is not an expectation: one of {}, then a number or a 'text'", text,
                                       fmt::join(kComparisons, ", ")));
  };
  const auto end = std::min(text.find_first_not_of("=!<>"), text.size());
  const auto how = std::ranges::find(kComparisons, text.substr(0, end));
  if (how == kComparisons.end()) throw refuse();
  read.how = static_cast<Comparison>(how - kComparisons.begin());
  const auto begin = text.find_first_not_of(' ', end);
  const std::string value = begin == std::string::npos ? "" : text.substr(begin);
  if (const auto quoted = unquoted(value)) {
    read.value = *quoted;
    return read;
  }
  if (!as_number(value)) throw refuse();
  read.value = value;
  read.is_number = true;
  return read;
}

std::optional<bool> meets(const Expectation& expected, const std::string& answer) {
  if (!expected.is_number) return comparison_holds(expected.how, answer.compare(expected.value));
  const auto order = order_of_numbers(answer, expected.value);
  if (!order) return std::nullopt;
  return comparison_holds(expected.how, *order);
}

void read_gates(Mapping& root, Playbook& playbook) {
  for (const YamlNode& node : root.sequence("gates")) {
    const auto kind = gate_kind_of(root.faults(), node);
    if (!kind) continue;
    Mapping item(node, "gates[]", node.place, root.faults());
    const auto gate = read_gate(item, *kind);
    if (!gate) continue;
    const auto id = gate_id(*gate);
    const bool is_repeated =
        !id.empty() && std::ranges::any_of(playbook.gates, [&](const GateSettings& one) { return gate_id(one) == id; });
    if (is_repeated) root.faults().add(node.place, "value", fmt::format("two gates have the id \"{}\"", id));
    playbook.gates.push_back(*gate);
  }
}

}  // namespace verdigris
