#include "controller/environment.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "replication/errors.hpp"

namespace verdigris {

void refuse_password_in_environment() {
  if (std::getenv("PGPASSWORD") == nullptr) return;
  throw Error(
      "env-password", "PGPASSWORD is set: one password would be offered to both clusters and to every pooler",
      "Unset it, and write the line HOST:PORT:DATABASE:USER:PASSWORD into a file of mode 0600 that the playbook "
      "names with passfile=.",
      Failure::usage);
}

std::vector<std::string> remove_connection_defaults() {
  std::vector<std::string> removed;
  for (const char* name :
       {"PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE", "PGOPTIONS", "PGTARGETSESSIONATTRS"}) {
    if (std::getenv(name) == nullptr) continue;
    unsetenv(name);
    removed.emplace_back(name);
  }
  return removed;
}

void open_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd)
    if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDWR) != fd) std::abort();
}

}  // namespace verdigris
