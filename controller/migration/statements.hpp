// Cuts SQL text into the words of its statements, as far as psql and the server would: strings, quoted names, comments
// and dollar quotes are passed over. Enough to see which statement stands where; it understands no grammar.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace verdigris {

struct Statement {
  int line = 1;                    // of its first word, from 1
  std::vector<std::string> words;  // upper case; unquoted words only; "\" for a psql command
};

std::vector<Statement> statements_of(std::string_view sql);

}  // namespace verdigris
