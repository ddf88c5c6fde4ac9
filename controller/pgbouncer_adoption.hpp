// Moves the databases of a playbook from the main file of one PgBouncer process into an included file of ours, once and for
// all, with clients running: a switch then edits a file that configuration management does not rewrite (operator.md 8.3).
// Each database stays defined at every moment, since one that is missing at RELOAD loses its clients. Used by one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/ini_adoption.hpp"
#include "controller/pgbouncer_console.hpp"
#include "controller/playbook.hpp"
#include "controller/pooler_files.hpp"

namespace verdigris {

class PgBouncerAdoption {
 public:
  PgBouncerAdoption(PoolerInstance settings, std::vector<std::string> aliases);

  // Asks process and files; changes nothing. Throws Refused, as a switch would before its pause, and "pooler.include-exists"
  // if the included file is there and is not ours.
  void look(Deadline deadline);
  // After look(). The lines that leave the main file, "file:line" each; the file that gets them; and both as diffs.
  bool is_adopted() const { return texts_.moved.empty(); }
  std::vector<std::string> places() const { return places_; }
  std::string main_file() { return files_.path().string(); }
  std::string included_file() const { return settings_.include.string(); }
  const std::string& name() const { return settings_.name; }
  std::string diff();

  // Only the included file, which nobody reads yet: the main file is left to the template that makes it.
  void write_included();
  // Both files, RELOAD, and the proof that the process reads them. What went wrong is put back first: Error (undone). For
  // one that is adopted already: the proof alone.
  void apply(Deadline deadline);

 private:
  void identify(Deadline deadline);
  void require_same_targets(const IniFile& ini, Deadline deadline);
  void prove(Deadline deadline);
  std::string put_back(Deadline deadline);

  PoolerInstance settings_;
  std::vector<std::string> aliases_;
  PoolerFiles files_;
  std::optional<PgBouncerConsole> console_;
  std::map<std::string, std::string> config_;
  std::string main_before_;
  std::optional<std::string> included_before_;
  AdoptedTexts texts_;
  std::vector<std::string> places_;
};

}  // namespace verdigris
