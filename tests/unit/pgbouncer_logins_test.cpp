#include "controller/pgbouncer_logins.hpp"

#include <gtest/gtest.h>

namespace verdigris {
namespace {

using enum LoginTrial::Verdict;

TEST(PgBouncerLogins, AreJudgedByWhatTheServerSaysBehindThePassword) {
  const struct {
    const char *sqlstate, *answer;
    bool knows_passwords;
    LoginTrial::Verdict verdict;
  } cases[] = {
      {"42501", "FATAL:  permission denied for database \"shop\"", false, proven},
      {"53300", "FATAL:  too many connections for database \"shop\"", true, proven},
      {"28P01", "FATAL:  password authentication failed for user \"app\"", true, refused},
      {"28P01", "FATAL:  password authentication failed for user \"app\"", false, unknown},
      {"XX000", "FATAL:  server login failed: wrong password type", true, unknown},
      {"XX000", "FATAL:  no pg_hba.conf entry for host \"10.0.0.7\", user \"app\", database \"shop\", no encryption", false, refused},
      {"XX000", "FATAL:  pg_hba.conf rejects connection for host \"10.0.0.7\"", false, refused},
      {"XX000", "FATAL:  role \"app\" is not permitted to log in", false, refused},
      {"XX000", "FATAL:  database \"shop\" does not exist", false, refused},
      {"XX000", "FATAL:  Passwort-Authentifizierung fehlgeschlagen", true, unknown},
      {"XX000", "FATAL:  sorry, too many clients already", true, unknown},
  };
  for (const auto& one : cases) EXPECT_EQ(judge_login(one.sqlstate, one.answer, one.knows_passwords), one.verdict) << one.answer;
}

TEST(PgBouncerLogins, PasswordsAreTheProcessesOwnWithoutAnAuthQuery) {
  const std::map<std::string, std::string> file{{"auth_type", "scram-sha-256"}, {"auth_user", ""}};
  EXPECT_TRUE(knows_passwords(file, "host=b port=1"));
  EXPECT_FALSE(knows_passwords(file, "host=b auth_user=lookup"));
  EXPECT_FALSE(knows_passwords({{"auth_type", "scram-sha-256"}, {"auth_user", "lookup"}}, "host=b"));
  for (const char* type : {"pam", "hba", "ldap", "any"}) EXPECT_FALSE(knows_passwords({{"auth_type", type}}, "host=b")) << type;
}

}  // namespace
}  // namespace verdigris
