#include "controller/config_mapping.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "controller/suggestion.hpp"
#include "replication/errors.hpp"

namespace verdigris {

namespace {

constexpr std::size_t kLongestKey = 200;

std::string kind_text(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::scalar:
      return "a single value";
    case YamlNode::Kind::sequence:
      return "a list";
    case YamlNode::Kind::mapping:
      return "a mapping";
  }
  return "";
}

// Complains unless the node is what was expected.
bool is_kind(const YamlNode& node, YamlNode::Kind expected, const std::string& name, ConfigFaults& faults) {
  if (node.kind == expected) return true;
  faults.add(node.place, "type",
             fmt::format("\"{}\" must be {}, not {}", name, kind_text(expected), kind_text(node.kind)));
  return false;
}

bool is_secret_key(const std::string& key) {
  std::string lower = key;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower == "password" || lower == "passwd" || lower == "pgpassword" || lower == "sslpassword";
}

void refuse_secret(YamlNode& node, const std::string& text, ConfigFaults& faults) {
  node.is_secret = true;
  faults.add(node.place, "inline-secret", text, "Use service: or a passfile.");
}

}  // namespace

Mapping::Mapping(const YamlNode& node, std::string path, Place at, ConfigFaults& faults)
    : path_(std::move(path)), at_(at), faults_(&faults) {
  for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) admit(node.items[i], node.items[i + 1]);
}

void Mapping::admit(const YamlNode& key, const YamlNode& value) {
  if (key.kind != YamlNode::Kind::scalar) {
    if (!key.is_secret) faults_->add(key.place, "type", "a key must be a word");
    return;
  }
  if (key.text.size() > kLongestKey) {
    faults_->add({key.place.line, key.place.column, 1}, "unknown-key",
                 fmt::format("a key may have at most {} bytes", kLongestKey));
    return;
  }
  if (key.text == "<<") {
    faults_->add(key.place, "yaml-merge", "a merge key (<<) may not stand in a playbook");
    return;
  }
  if (const Entry* first = entry(key.text); first != nullptr) {
    faults_->add(key.place, "duplicate-key",
                 fmt::format("\"{}\" stands twice: in line {} and line {}", name_of(key.text), first->key->place.line,
                             key.place.line));
    return;
  }
  entries_.push_back({&key, &value});
}

const Mapping::Entry* Mapping::entry(const std::string& key) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key->text == key; });
  return found == entries_.end() ? nullptr : &*found;
}

bool Mapping::has(const std::string& key) const {
  return entry(key) != nullptr;
}

std::vector<std::string> Mapping::keys() const {
  std::vector<std::string> keys;
  for (const Entry& each : entries_)
    if (!each.key->is_secret) keys.push_back(each.key->text);
  return keys;
}

Place Mapping::place_of(const std::string& key) const {
  const Entry* found = entry(key);
  return found == nullptr ? at_ : found->key->place;
}

const YamlNode* Mapping::find(const std::string& key) {
  known_.push_back(key);
  const Entry* found = entry(key);
  if (found == nullptr || found->value->is_secret) return nullptr;
  if (found->value->kind == YamlNode::Kind::null) {
    faults_->add(found->key->place, "type", fmt::format("\"{}\" has no value", name_of(key)));
    return nullptr;
  }
  return found->value;
}

const YamlNode* Mapping::require(const std::string& key) {
  if (!has(key)) faults_->add(at_, "missing-key", fmt::format("\"{}\" is missing", name_of(key)));
  return find(key);
}

void Mapping::refuse_unsupported(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    if (has(key)) {
      faults_->add(place_of(key), "unsupported-key",
                   fmt::format("\"{}\" is not supported by this version", name_of(key)));
      std::erase_if(entries_, [&](const Entry& e) { return e.key->text == key; });
    }
  }
}

void Mapping::close() {
  for (const Entry& each : entries_) {
    const std::string& key = each.key->text;
    if (each.key->is_secret || std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string whole = path_.empty() ? "a playbook" : "\"" + path_ + "\"";
    faults_->add(each.key->place, "unknown-key",
                 fmt::format("\"{}\" is not a key of {}{}", key, whole, suggestion(key, known_)));
  }
}

std::optional<Mapping> Mapping::mapping(const std::string& key) {
  const YamlNode* node = find(key);
  if (node == nullptr || !is_kind(*node, YamlNode::Kind::mapping, name_of(key), *faults_)) return std::nullopt;
  return Mapping(*node, name_of(key), place_of(key), *faults_);
}

bool Mapping::scalar(const std::string& key, const std::function<void(const YamlNode&)>& read) {
  const YamlNode* node = find(key);
  if (node == nullptr || !is_kind(*node, YamlNode::Kind::scalar, name_of(key), *faults_)) return false;
  return attempt(*faults_, *node, [&] { read(*node); });
}

bool Mapping::plain(const std::string& key, const std::function<void(const std::string&)>& read) {
  return scalar(key, [&](const YamlNode& node) {
    if (node.is_quoted)
      throw Error("type", fmt::format("\"{}\" must stand without quotes", name_of(key)), "", Failure::usage);
    read(node.text);
  });
}

std::vector<YamlNode> Mapping::sequence(const std::string& key) {
  const YamlNode* node = find(key);
  if (node == nullptr || !is_kind(*node, YamlNode::Kind::sequence, name_of(key), *faults_)) return {};
  return node->items;
}

std::vector<YamlNode> Mapping::scalars(const std::string& key) {
  std::vector<YamlNode> items;
  for (YamlNode& item : sequence(key))
    if (!item.is_secret && is_kind(item, YamlNode::Kind::scalar, name_of(key) + "[]", *faults_))
      items.push_back(std::move(item));
  return items;
}

bool attempt(ConfigFaults& faults, const YamlNode& node, const std::function<void()>& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    faults.add(node.place, error);
    return false;
  }
}

void refuse_secrets(YamlNode& node, ConfigFaults& faults) {
  if (node.kind == YamlNode::Kind::scalar && holds_secret(node.text)) {
    refuse_secret(node, "\"password\" may not stand in a playbook", faults);
    faults.hide_lines(node.place.line, node.last_line);
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    YamlNode& item = node.items[i];
    const bool is_key = node.kind == YamlNode::Kind::mapping && i % 2 == 0;
    if (is_key && item.kind == YamlNode::Kind::scalar && is_secret_key(item.text)) {
      refuse_secret(item, fmt::format("\"{}\" may not stand in a playbook", item.text), faults);
      faults.hide_lines(item.place.line, node.items[++i].last_line);
      continue;
    }
    refuse_secrets(item, faults);
  }
}

}  // namespace verdigris
