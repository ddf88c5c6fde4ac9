#include "controller/pgbouncer_adoption.hpp"

#include <algorithm>

#include "controller/ini_lexer.hpp"
#include "controller/pgbouncer_identity.hpp"
#include "controller/pgbouncer_probe.hpp"
#include "controller/pgbouncer_readiness.hpp"
#include "controller/unified_diff.hpp"
#include "replication/errors.hpp"
#include "replication/test_switches.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;

// Also of one that the main file does not read (yet).
std::optional<std::string> read_if_there(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(file, error))) return std::nullopt;
  return StagedFile(file).read();
}

}  // namespace

PgBouncerAdoption::PgBouncerAdoption(PoolerInstance settings, std::vector<std::string> aliases)
    : settings_(std::move(settings)), aliases_(std::move(aliases)), files_(settings_, aliases_) {}

void PgBouncerAdoption::identify(Deadline deadline) {
  console_ = PgBouncerConsole::open(settings_.name, settings_.admin, deadline);
  require_version(*console_, settings_.name, deadline);
  config_ = console_->config(deadline);
  files_.read_relative_to(identify_pooler(*console_, config_, files_.path()).cwd);
}

// The lines move as they are: they must say what runs, else RELOAD would move clients.
void PgBouncerAdoption::require_same_targets(const IniFile& ini, Deadline deadline) {
  for (const auto& alias : aliases_) {
    const auto running = console_->database(alias, deadline).target;
    const bool is_moved_half = std::ranges::count_if(ini.entries(), [&](const auto& entry) {
                                 return entry.section == "databases" && entry.key == alias;
                               }) == 2;  // adopted_texts() has looked: both say the same
    if (is_moved_half || is_same_endpoint(ini.target(alias), running, config_)) continue;
    throw Refused("pooler.target",
                  "pooler " + settings_.name + ": database \"" + alias + "\" goes to " + endpoint_text(running) +
                      ", its file says " + endpoint_text(ini.target(alias)),
                  "Correct the file, run RELOAD, then start again.");
  }
}

void PgBouncerAdoption::look(Deadline deadline) {
  refuse_unusable([&] {
    identify(deadline);
    require_running(*console_, settings_.name, aliases_, deadline);
    const IniFile ini = files_.read();
    require_known_settings(settings_.name, ini, config_);
    texts_ = adopted_texts(ini, aliases_, settings_.include.string());
    require_same_targets(ini, deadline);
    main_before_ = ini.bytes();
    included_before_ = read_if_there(settings_.include);
    places_.clear();
    for (const auto& entry : ini.entries())
      if (!entry.is_included && entry.section == "databases" && std::ranges::find(texts_.moved, entry.key) != texts_.moved.end())
        places_.push_back(place(entry));
  });
  if (included_before_ && !included_before_->starts_with(kManagedHeader))
    throw Refused("pooler.include-exists",
                  "\"" + settings_.include.string() + "\" is there already and does not begin with \"" + std::string(kManagedHeader) + "\"",
                  "Let include of the pooler in the playbook name another file, or remove this one.");
}

std::string PgBouncerAdoption::diff() {
  return unified_diff(included_file(), included_before_.value_or(""), texts_.included) +
         unified_diff(main_file(), main_before_, texts_.main);
}

void PgBouncerAdoption::write_included() {
  refuse_unusable([&] {
    if (!included_before_) return StagedFile::create(settings_.include, texts_.included, files_.path());
    StagedFile file(settings_.include);
    file.stage(*included_before_, texts_.included);
    file.move_into_place();
    file.discard();
  });
  crash_point("after:pooler-include");
}

// RELOAD must change nothing, and a change of the included file must be seen.
void PgBouncerAdoption::prove(Deadline deadline) {
  const IniFile ini = files_.read();
  require_noop_reload(*console_, settings_.name, ini, deadline);
  if (!files_.is_adopted(ini))
    throw Error("pooler.foreign-edit", "file \"" + main_file() + "\" was changed by somebody else meanwhile");
  require_included_file_read(*console_, settings_.name, settings_.include, aliases_.front(), deadline);
}

// The process holds what it had, since the old file says the same as the new one; what cannot be said to it now, it finds
// when it starts. Somebody else's edit is not lost for it.
std::string PgBouncerAdoption::put_back(Deadline deadline) {
  StagedFile main(settings_.file);
  if (const auto now = main.read(); now != main_before_) {
    if (now != texts_.main) return "; \"" + main_file() + "\" was changed by somebody else and is left so";
    main.stage(now, main_before_);
    main.move_into_place();
  }
  main.discard();
  try {
    if (!console_->is_open()) identify(deadline);
    console_->reload(deadline);
  } catch (const Error&) {
  }
  std::error_code ignored;
  if (!included_before_) fs::remove(settings_.include, ignored);
  return "; the files are as they were";
}

void PgBouncerAdoption::apply(Deadline deadline) {
  if (is_adopted()) return prove(deadline);
  require_noop_reload(*console_, settings_.name, files_.read(), deadline);  // before anything is ours
  StagedFile main(settings_.file);
  main.stage(main_before_, texts_.main);
  write_included();
  try {
    main.move_into_place();
    main.discard();
    prove(deadline);
  } catch (const Error& error) {
    throw Error(error.id(), error.what() + put_back(deadline), error.hint(), Failure::undone);
  }
}

}  // namespace verdigris
