// Where the decoder's complaints are collected. Knows the text, to show the line at fault; a line that holds a secret
// is never shown.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controller/playbook_errors.hpp"

namespace verdigris {

struct Place {
  int line = 0, column = 0;  // from 1; the column in bytes. 0: the file as a whole
  int width = 1;             // bytes to underline
};

class ConfigFaults {
 public:
  ConfigFaults(std::string file, std::string_view text);

  void add(Place place, std::string id, std::string text, std::string hint = {});
  void add(Place place, const Error& error) { add(place, error.id(), error.what(), error.hint()); }
  void hide_lines(int first, int last);
  bool is_empty() const { return list_.empty(); }
  // Throws PlaybookErrors, in the order of the file, if there is any.
  void throw_if_any() const;

 private:
  struct Fault {
    Place place;
    std::string id, text, hint;
  };
  PlaybookError finished(const Fault& fault) const;
  bool is_shown(int line) const;

  std::string file_;
  std::vector<std::string_view> lines_;
  std::vector<Fault> list_;
  std::set<int> hidden_;
};

// `password=` of a connection string or a user:password@ of a URI, in any spelling of case and blanks.
bool holds_secret(std::string_view text);

}  // namespace verdigris
