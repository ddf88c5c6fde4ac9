// Reads C++ source just well enough to measure it: where comments and literals are, where functions begin and end.
// No parser: it follows braces and looks at what stands before each. It knows the forms this project uses; a form that
// it misreads counts as no function, so a wrong answer is an unmeasured function and never a false alarm about one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace verdigris::layout {

struct Function {
  std::string head;  // what stands before the body, white space collapsed
  int line;          // of the first line of the head, from 1
  int lines;         // from there to the closing brace, both counted
};

struct Include {
  std::string path;
  bool is_quoted;  // "..." and not <...>
  int line;
};

// The text with comments, the insides of literals and preprocessor lines replaced by spaces; the same lines as before.
std::string without_text(std::string_view source);

// Function bodies at namespace and class level; a lambda or a local class belongs to the function it stands in.
std::vector<Function> functions_of(std::string_view source);

std::vector<Include> includes_of(std::string_view source);

int count_lines(std::string_view source);

// The number of comment lines a header opens with, blank lines before them not counted.
int opening_comment_lines(std::string_view source);

// The upper one of the two in the middle; 0 for nothing.
int median(std::vector<int> values);

}  // namespace verdigris::layout
