// What a step would send, or change in a file, as `plan` shows it. The text is made by what is executed, so that the two
// cannot differ; <...> in it stands for what is known only then.
#pragma once

#include <string>
#include <vector>

namespace verdigris {

struct PlannedAct {
  std::string on;    // "blue", "green", "pooler a"
  std::string text;  // SQL, a console's command, or a unified diff
  std::vector<std::string> parameters = {};  // values of $1, $2, ...
  bool is_diff = false;
};

using PlannedActs = std::vector<PlannedAct>;

}  // namespace verdigris
