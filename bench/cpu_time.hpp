// Processor time and memory of processes that are not ours to wait for, read from /proc. Computes only; any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace verdigris::bench {

// User and system time of the process, of its children that live, and of all that it has waited for. 0 if it is gone.
double cpu_seconds_of_tree(pid_t process);
// Of children of ours that have ended, and of theirs.
double cpu_seconds_of_children();
// The most memory that the process has held at once; 0 if it is gone.
std::int64_t peak_memory_kib(pid_t process);

}  // namespace verdigris::bench
