// How much of what there is to try is tried: a sample, which scripts/test has the time for, or all of it, as scripts/soak
// asks with VERDIGRIS_THOROUGH=1.
#pragma once

#include <cstdlib>

namespace verdigris::test {

inline bool is_thorough() { return std::getenv("VERDIGRIS_THOROUGH") != nullptr; }
// One case was asked for by its name (VERDIGRIS_CASE), which may be any of all.
inline bool is_case_named() { return std::getenv("VERDIGRIS_CASE") != nullptr; }

}  // namespace verdigris::test
