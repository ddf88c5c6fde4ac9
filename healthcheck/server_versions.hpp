// Which minor releases are too old to trust.
#pragma once

namespace verdigris {

// The first release of the major without the known holes (faults S2), as server_version_num; 0 if every release of that
// major has them.
int first_sound_version(int major);
bool is_below_floor(int version);

}  // namespace verdigris
