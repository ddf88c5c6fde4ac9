#include "controller/own_program.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace verdigris {

std::optional<ProgramFlaw> flaw_of_program(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return ProgramFlaw{"is not there", "Correct its path in the playbook."};
  if (!S_ISREG(status.st_mode) || ::access(file.c_str(), X_OK) != 0)
    return ProgramFlaw{"is not a program that we may run", "Make it executable: chmod +x " + file};
  if (status.st_uid != ::geteuid() && status.st_uid != 0)
    return ProgramFlaw{
        "belongs to uid " + std::to_string(status.st_uid) + ", and we are uid " + std::to_string(::geteuid()),
        "Let it belong to root or to us: it is run with our rights."};
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return ProgramFlaw{"is writable by group or others", "chmod go-w " + file};
  return std::nullopt;
}

}  // namespace verdigris
