// What a step would send, or change in a file, as `plan` shows it. The text is made by what is executed, so that the two
// cannot differ; <...> in it stands for what is known only then.
#pragma once

#include <string>
#include <vector>

namespace verdigris {

struct PlannedAct {
  std::string on;    // "blue", "green", "pooler a"; of a program: whom it asks or changes
  std::string text;  // SQL, a console's command, a unified diff, or a command line
  std::vector<std::string> parameters = {};  // values of $1, $2, ...
  bool is_diff = false;
  std::vector<std::string> each = {};  // what <table> in the text stands for, one after the other
  bool is_program = false;             // run here, not sent
};

using PlannedActs = std::vector<PlannedAct>;

}  // namespace verdigris
