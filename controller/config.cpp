#include "controller/config.hpp"

#include "controller/config_faults.hpp"
#include "controller/config_file.hpp"
#include "controller/config_mapping.hpp"
#include "controller/config_playbook.hpp"
#include "controller/config_yaml.hpp"

namespace verdigris {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

Playbook decode_playbook(std::string_view text, const std::filesystem::path& file, WallTime now) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  ConfigFaults faults(file.string(), text);
  check_bytes(text, faults);
  faults.throw_if_any();
  YamlNode tree = parse_yaml(text, faults);
  refuse_secrets(tree, faults);
  Playbook playbook;
  playbook.file = file;
  Mapping root(tree, "", {1, 1, 1}, faults);
  read_playbook(root, playbook, std::chrono::floor<std::chrono::days>(now));
  faults.throw_if_any();
  return playbook;
}

Playbook load_playbook(const std::filesystem::path& file, WallTime now) {
  std::string text;
  try {
    text = read_playbook_file(file);
  } catch (const Error& error) {
    throw PlaybookErrors({{file.string(), 0, 0, error.id(), error.what(), error.hint(), "", 1}});
  }
  return decode_playbook(text, file, now);
}

}  // namespace verdigris
