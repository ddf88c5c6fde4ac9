#include "controller/sandbox/roles.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

bool role_exists(Connection& on, const std::string& name, Deadline deadline) {
  return on.query(Sql("SELECT true FROM pg_catalog.pg_roles WHERE rolname = $1"), {name}, deadline)
      .at_most_one_row(1)
      .has_value();
}

void ensure_role(Connection& on, const std::string& name, const Sql& attributes, Deadline deadline) {
  if (!role_exists(on, name, deadline)) on.execute(Sql("CREATE ROLE {} {}", Identifier(name), attributes), deadline);
}

void ensure_login(Connection& on, const SandboxLogin& login, const Sql& attributes, Deadline deadline) {
  ensure_role(on, login.user, Sql("LOGIN {} PASSWORD {}", attributes, Literal(login.password)), deadline);
}

}  // namespace

void create_controller_roles(Connection& superuser, Deadline deadline) {
  ensure_role(superuser, "verdigris", Sql("LOGIN SUPERUSER"), deadline);
  ensure_role(superuser, "verdigris_repl", Sql("LOGIN REPLICATION"), deadline);
}

void create_application_roles(Connection& superuser, Deadline deadline) {
  superuser.execute(Sql("SET password_encryption = 'scram-sha-256'"), deadline);  // 13 would store md5
  ensure_role(superuser, "app_owner", Sql("NOLOGIN"), deadline);
  ensure_login(superuser, kPoolUser, Sql(""), deadline);
  ensure_login(superuser, kDirectWriter, Sql(""), deadline);
  ensure_login(superuser, kDirectAdmin, Sql("SUPERUSER"), deadline);
}

void write_passfile(const std::filesystem::path& file) {
  std::string text;
  for (const auto& login : {kPoolUser, kDirectWriter, kDirectAdmin, kPoolerAdmin})
    text += std::string("*:*:*:") + login.user + ":" + login.password + "\n";
  const int out = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool is_written = out >= 0 && ::write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int reason = errno;
  if (out >= 0) ::close(out);
  if (!is_written) throw Error("file", file.string() + ": cannot write: " + std::strerror(reason));
}

}  // namespace verdigris
