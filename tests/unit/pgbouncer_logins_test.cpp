#include "controller/pgbouncer_logins.hpp"

#include <gtest/gtest.h>

namespace verdigris {
namespace {

using enum LoginTrial::Verdict;

TEST(PgBouncerLogins, AreJudgedByWhatTheServerSaysBehindThePassword) {
  const struct {
    const char *sqlstate, *answer;
    LoginTrial::Verdict verdict;
  } cases[] = {
      {"42501", "FATAL:  permission denied for database \"shop\"", proven},
      {"53300", "FATAL:  too many connections for database \"shop\"", proven},
      {"28P01", "FATAL:  password authentication failed for user \"app\"", refused},
      {"28P01", "FATAL:  password authentication failed", unknown},
      {"XX000", "FATAL:  server login failed: wrong password type", unknown},
      {"XX000", "FATAL:  no pg_hba.conf entry for host \"10.0.0.7\", user \"app\", database \"shop\", no encryption", refused},
      {"XX000", "FATAL:  pg_hba.conf rejects connection for host \"10.0.0.7\"", refused},
      {"XX000", "FATAL:  role \"app\" is not permitted to log in", refused},
      {"XX000", "FATAL:  database \"shop\" does not exist", refused},
      {"XX000", "FATAL:  Passwort-Authentifizierung fehlgeschlagen", unknown},
      {"XX000", "FATAL:  sorry, too many clients already", unknown},
  };
  for (const auto& one : cases) EXPECT_EQ(judge_login(one.sqlstate, one.answer), one.verdict) << one.answer;
}

TEST(PgBouncerLogins, AreTriedAsTheMovedDatabaseWouldBe) {
  EXPECT_EQ(trial_definition("host=b port=5433", "shop", "app"), "host=b port=5433 dbname=shop user=app") << "no longer by its name";
  EXPECT_EQ(trial_definition("host=b dbname=old pool_size=3", "shop", "o'neil x"), "host=b pool_size=3 dbname=shop user='o''neil x'");
  EXPECT_EQ(trial_definition("host=b user='forced' password='p'", "shop", "app"), "host=b user='forced' password='p' dbname=shop");
  EXPECT_EQ(trial_definition("host=b password='p' connect_query='set a to 1'", "shop", "app"), "host=b connect_query='set a to 1' dbname=shop user=app");
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
