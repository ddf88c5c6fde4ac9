// One mapping of a playbook while it is decoded. Each key is asked for by name; close() complains about those that
// nobody asked for. Complaints go to the faults, so reading goes on after each.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/config_faults.hpp"
#include "controller/config_yaml.hpp"

namespace verdigris {

class Mapping {
 public:
  // `path` is "cutover" or "replication.copy", empty for the root. `at` is where a missing key is reported.
  Mapping(const YamlNode& node, std::string path, Place at, ConfigFaults& faults);

  // The value; nullptr if absent, null (complained about) or a secret (complained about already).
  const YamlNode* find(const std::string& key);
  const YamlNode* require(const std::string& key);
  bool has(const std::string& key) const;
  // Of a mapping whose keys are names of the operator's, in the order of the file.
  std::vector<std::string> keys() const;
  // Keys of the design on which this version does not act.
  void refuse_unsupported(const std::vector<std::string>& keys);
  void close();

  // A mapping below; nothing if absent or something else (complained about).
  std::optional<Mapping> mapping(const std::string& key);
  // A scalar; `read` gets its text and may throw Error, which is reported at the scalar. False if it was not read.
  bool scalar(const std::string& key, const std::function<void(const YamlNode&)>& read);
  // Like scalar(), but not in quotes: numbers and booleans.
  bool plain(const std::string& key, const std::function<void(const std::string&)>& read);
  // A sequence of scalars, perhaps empty.
  std::vector<YamlNode> scalars(const std::string& key);
  std::vector<YamlNode> sequence(const std::string& key);

  std::string name_of(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }
  Place place() const { return at_; }
  Place place_of(const std::string& key) const;
  ConfigFaults& faults() const { return *faults_; }

 private:
  struct Entry {
    const YamlNode* key;
    const YamlNode* value;
  };
  const Entry* entry(const std::string& key) const;
  void admit(const YamlNode& key, const YamlNode& value);

  std::string path_;
  Place at_;
  ConfigFaults* faults_;
  std::vector<Entry> entries_;
  std::vector<std::string> known_;
};

// Runs `read`; an Error is reported at the node.
bool attempt(ConfigFaults& faults, const YamlNode& node, const std::function<void()>& read);

// Complains about every secret in the tree, marks it, and hides its lines from all messages.
void refuse_secrets(YamlNode& node, ConfigFaults& faults);

}  // namespace verdigris
