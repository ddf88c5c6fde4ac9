#include "controller/pooler_files.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "controller/ini_adoption.hpp"
#include "replication/errors.hpp"

namespace verdigris {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> read_include(const fs::path& cwd, const std::string& name) {
  const fs::path file = fs::path(name).is_absolute() ? fs::path(name) : cwd / name;
  if (!file.is_absolute()) return std::nullopt;
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

}  // namespace

StagedFile& PoolerFiles::main() {
  if (!main_) main_.emplace(main_name_);
  return *main_;
}

StagedFile& PoolerFiles::included() {
  if (!included_) included_.emplace(included_name_);
  return *included_;
}

IniFile PoolerFiles::parse(const std::string& bytes, const std::optional<std::string>& included_bytes) const {
  const auto read = [&](const std::string& name) -> std::optional<std::string> {
    if (included_bytes && name == included_name_) return included_bytes;
    return read_include(cwd_, name);
  };
  return IniFile::parse(main_->path().string(), bytes, read, included_name_.string());
}

IniFile PoolerFiles::read() {
  return parse(main().read(), std::nullopt);
}

bool PoolerFiles::is_adopted(const IniFile& ini) const {
  const auto adopted = std::count_if(aliases_.begin(), aliases_.end(), [&](const auto& a) { return ini.is_adopted(a); });
  if (adopted != 0 && adopted != static_cast<std::ptrdiff_t>(aliases_.size()))
    throw Refused("pooler.partly-adopted",
                  ini.name() + ": some databases of the playbook are defined here, others in " + included_name_.string(),
                  "Move the rest as well: verdigris pooler adopt");
  return adopted != 0;
}

void PoolerFiles::require_whole(const IniFile& ini) const {
  std::error_code error;
  if (!is_adopted(ini) && !ini.managed_bytes() && !included_name_.empty() && fs::exists(included_name_, error))
    throw Refused("pooler.half-adopted", included_name_.string() + " lies there, but " + ini.name() + " does not read it",
                  "End the adoption with verdigris pooler adopt, or remove the file: what it says would be old by then.");
}

PoolerFiles::Change PoolerFiles::change_to(const Endpoint& target) {
  IniFile ini = read();
  const bool is_in_included = is_adopted(ini);
  std::string main_bytes = ini.bytes();
  std::optional<std::string> included_bytes = ini.managed_bytes();
  std::string& edited_bytes = is_in_included ? *included_bytes : main_bytes;
  const std::string before = edited_bytes;
  for (const auto& alias : aliases_) {
    edited_bytes = ini.with_target(alias, target);
    ini = parse(main_bytes, included_bytes);
  }
  // Of a trial that was killed: what is left leads past passwords.
  if (is_in_included) edited_bytes = without_probes(edited_bytes);
  return {edited(ini).path().string(), before, edited_bytes};
}

void PoolerFiles::stage(const Endpoint& target) {
  const auto change = change_to(target);
  const IniFile ini = read();
  is_included_staged_ = is_adopted(ini);
  main_as_staged_ = sha256(ini.bytes());
  staged().stage(change.before, change.after);
  staged_for_ = target;
}

void PoolerFiles::move(const Endpoint& target) {
  if (!is_staged_for(target)) stage(target);
  try {
    require_unedited();
    staged().rename_into_place();
  } catch (const Refused&) {
    // Edited since it was staged. Clients wait and there is no way back: the edit is kept, and our lines put into it.
    stage(target);
    staged().rename_into_place();
  }
}

void PoolerFiles::settle() {
  main().settle();
  std::error_code error;
  if (fs::exists(included_name_, error)) included().settle();
}

bool PoolerFiles::holds(const Endpoint& target) {
  try {
    if (is_staged_for(target) && staged().is_as_before()) return false;
    const auto change = change_to(target);
    return change.before == change.after;
  } catch (const Error&) {
    return false;
  }
}

// A file that cannot be found has nothing staged beside it.
void PoolerFiles::discard() {
  staged_for_.reset();
  std::error_code error;
  if (main_ || fs::exists(main_name_, error)) main().discard();
  if (included_ || (!included_name_.empty() && fs::exists(included_name_, error))) included().discard();
}

void PoolerFiles::require_unedited() {
  if (!staged_for_) return;
  staged().require_unedited();
  if (is_included_staged_ && sha256(main().read()) != main_as_staged_)
    throw Refused("pooler.foreign-edit", "file \"" + path().string() + "\" was changed by somebody else meanwhile",
                  "See what changed and start again; the edit was not touched.");
}

}  // namespace verdigris
