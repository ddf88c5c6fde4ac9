// A blue with rows, and a playbook whose green verdigris makes itself, in a directory of the test. Driven through the
// program; whatever runs in that directory at the end is stopped by the number its postmaster.pid gives.
#pragma once

#include <filesystem>
#include <string>

#include "tests/support/shop.hpp"

namespace verdigris::test {

std::string error_id(const Answer& answer);  // "" if it is none

// Started once per process: 15, with roles and database shop.
PostgresServer& blue_alone();

class MadeGreen {
 public:
  explicit MadeGreen(int major, const std::string& load_profile = "full");
  ~MadeGreen();

  Answer command(std::vector<std::string> arguments, const Environment& environment = {});
  // What stands in the playbook instead of `what`.
  void change(const std::string& what, const std::string& by);

  std::string playbook() const;
  // From now on green's programs are called through ones that note it, refuse to sync while a file "no-sync" is there, and
  // kill it instead of stopping it while a file "unclean" is there.
  void watch_programs();
  std::string programs() const;  // that were called: init, sync, start, stop-<mode>, a blank behind each

  std::filesystem::path data() const { return dir_.path() / "green"; }
  std::string marker() const;
  std::string file(const std::string& name) const;  // of the data directory
  void kill_postmaster();                           // SIGKILL, and its children have noticed
  void start_by_hand() const;                       // as its operator would, with pg_ctl
  bool is_running() const;
  Connection green(const std::string& dbname = "shop") const;
  // "" or the first of blue's tables that differs.
  std::string difference();
  // A row written on blue arrives on green.
  bool follows();
  const std::filesystem::path& dir() const { return dir_.path(); }

 private:
  void fresh_blue();

  ScratchDir dir_;
  int major_;
  int rows_written_ = 0;
};

}  // namespace verdigris::test
