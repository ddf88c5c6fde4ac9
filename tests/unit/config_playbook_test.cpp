// The values of a playbook: defaults, units, ranges, connection strings (faults N9-N19).
#include <gtest/gtest.h>

#include "controller/config.hpp"
#include "tests/unit/config_sample.hpp"

using namespace verdigris;
using namespace verdigris::tests;
using std::chrono::milliseconds;

namespace {

struct Case {
  std::string text, fault;
};

std::string with_green(const std::string& conninfo, const std::string& more = "") {
  return replaced("{ service: orders-green }", "{ conninfo: \"" + conninfo + "\" }" + more);
}

std::string with_workers(const std::string& workers) {
  return replaced("  conninfo: {", "  copy: { workers: " + workers + " }\n  conninfo: {");
}

std::string with_pause(const std::string& pause) {
  return with_line("cutover: { max_pause: " + pause + " }");
}

std::string with_pooler(const std::string& pooler) {
  return replaced("  driver: none\n", pooler);
}

std::string with_attempts(const std::string& keys) {
  return with_pooler("  instances: [ { admin: \"host=/run/pgbouncer port=6432 user=pgbouncer dbname=pgbouncer\", file: a.ini } ]\n"
                     "  databases: [orders]\n  pause: { " + keys + " }\n");
}

std::string with_waiver(const std::string& until) {
  return with_line("waivers: [ { id: versions.minor, reason: vendor build, until: " + until + " } ]");
}

const std::string kHost = "host=db2 dbname=orders user=v sslmode=verify-full";

const Case kScalars[] = {
    {with_workers("05432"), "number: \"05432\" is not a whole decimal number"},
    {with_workers("0x1538"), "number: \"0x1538\" is not a whole decimal number"},
    {with_workers("1e3"), "number: \"1e3\" is not a whole decimal number"},
    {with_workers("5_432"), "number: \"5_432\" is not a whole decimal number"},
    {with_workers("+5"), "number: \"+5\" is not a whole decimal number"},
    {with_workers("\"5\""), "type: \"replication.copy.workers\" must stand without quotes"},
    {with_workers("0"), "range: 0 is out of range (1 to 64)"},
    {with_workers("-1"), "range: -1 is out of range (1 to 64)"},
    {with_workers("100000000000000000000"), "range: 100000000000000000000 is out of range (1 to 64)"},
    {with_pause("10"), "unit: \"10\" needs a unit (ms, s, m, h)"},
    {with_pause("10m30"),
     "unit: \"10m30\" is not a duration: a whole decimal number and one unit (ms, s, m, h), nothing between"},
    {with_pause("-5s"), "range: \"-5s\" is out of range (100ms to 10m)"},
    {with_pause("0s"), "range: \"0s\" is out of range (100ms to 10m)"},
    {with_pause("99999999999999999999h"), "range: \"99999999999999999999h\" is out of range (100ms to 10m)"},
    {with_pause("9223372036854775807h"), "range: \"9223372036854775807h\" is out of range (100ms to 10m)"},
    {with_pause("1.5h"),
     "unit: \"1.5h\" is not a duration: a whole decimal number and one unit (ms, s, m, h), nothing between"},
    {with_pause("inf"),
     "unit: \"inf\" is not a duration: a whole decimal number and one unit (ms, s, m, h), nothing between"},
    {with_pause("5 s"),
     "unit: \"5 s\" is not a duration: a whole decimal number and one unit (ms, s, m, h), nothing between"},
    {replaced("  conninfo: {", "  max_slot_wal: 50GB\n  conninfo: {"),
     "unit: \"50GB\" is not a size: a whole decimal number and one unit (B, KiB, MiB, GiB), nothing between"},
    {replaced("  conninfo: {", "  reverse: requird\n  conninfo: {"),
     "value: \"requird\" is not one of required; did you mean \"required\"?"},
    {replaced("name: orders", "name: Orders"),
     "name: \"Orders\" is not a name: a letter, then at most 39 letters, digits and underscores, all small"},
    {replaced("verdigris/v1", "verdigris/v2"),
     "value: \"verdigris/v2\" is not one of verdigris/v1; did you mean \"verdigris/v1\"?"},
    {replaced("kind: Cutover\n", ""), "missing-key: \"kind\" is missing"},
    {with_line("fence: { bypass: terminate }"), "accepted"},
    {with_line("fence: { autovacuum: wait }"), "accepted"},
    {with_line("cutover: { standbys: { promotable: [db1b, db1c] } }"), "accepted"},
    {with_line("cutover: { standbys: { away: [archive] } }"), "accepted"},
    {with_line("fence: { bypass: terminat }"),
     "value: \"terminat\" is not one of refuse, wait, terminate; did you mean \"terminate\"?"},
    {with_attempts("attempts: 5, backoff: 15s"), "accepted"},
    {with_attempts("attempts: 0"), "range: 0 is out of range (1 to 100)"},
    {with_attempts("attempts: \"5\""), "type: \"pooler.pause.attempts\" must stand without quotes"},
    {with_attempts("backoff: 15"), "unit: \"15\" needs a unit (ms, s, m, h)"},
    {with_attempts("backof: 15s"), "unknown-key: \"backof\" is not a key of \"pooler.pause\"; did you mean \"backoff\"?"},
    {replaced("  conninfo: {", "  reverse: off\n  conninfo: {"),
     "unsupported-value: \"off\" is not supported by this version; only \"required\" is"},
    {with_line("rollback: { watch: 15m }"), "unsupported-key: \"rollback.watch\" is not supported by this version"},
    {with_line("cutover: { max_pauze: 5s }"),
     "unknown-key: \"max_pauze\" is not a key of \"cutover\"; did you mean \"max_pause\"?"},
    {replaced("  conninfo: {", "  tables: { include: [orders] }\n  conninfo: {"),
     "value: \"orders\" is not a pattern of the form schema.table"},
    {replaced("  conninfo: {", "  groups: auto\n  conninfo: {"), "accepted"},
    {replaced("  conninfo: {", "  groups: [[public.a], [public.b, billing.c]]\n  conninfo: {"), "accepted"},
    {replaced("  conninfo: {", "  groups: one\n  conninfo: {"), "accepted"},
    {replaced("  conninfo: {", "  groups: aut\n  conninfo: {"), "value: \"aut\" is not one of auto, one; did you mean \"auto\"?"},
    {replaced("  conninfo: {", "  groups: [public.a]\n  conninfo: {"),
     "type: \"replication.groups[]\" must be a list of tables"},
    {replaced("  conninfo: {", "  groups: []\n  conninfo: {"), "value: \"replication.groups\" names no list; write one or auto"},
    {replaced("  conninfo: {", "  groups: [[]]\n  conninfo: {"), "value: a list of \"replication.groups\" names no table"},
    {replaced("  conninfo: {", "  groups: [[public.*]]\n  conninfo: {"),
     "value: \"public.*\" is not one table of the form schema.table"},
    {replaced("  conninfo: {", "  groups: [[public.a], [public.b, public.a]]\n  conninfo: {"),
     "value: \"public.a\" stands in \"replication.groups\" twice"},
    {replaced("  conninfo: {", "  groups: [[a.a],[a.b],[a.c],[a.d],[a.e],[a.f],[a.g],[a.h]]\n  conninfo: {"),
     "range: \"replication.groups\" may be 7 lists at the most"},
    {with_waiver("2026-06-14"), "waiver-over: the waiver ran out on 2026-06-14"},
    {with_waiver("2027-02-29"), "date: \"2027-02-29\" is not a date (YYYY-MM-DD)"},
    {with_waiver("27-02-01"), "date: \"27-02-01\" is not a date (YYYY-MM-DD)"},
    {with_waiver("2026-06-15"), "accepted"},
    {with_line("waivers: [ { id: a.b, until: 2027-01-01 } ]"), "missing-key: \"waivers[].reason\" is missing"},
};

const Case kConninfos[] = {
    {with_green(kHost), "accepted"},
    {with_green(kHost + " password=geheim"), "inline-secret: \"password\" may not stand in a playbook"},
    {with_green(kHost + " PassWord = 'geheim"), "inline-secret: \"password\" may not stand in a playbook"},
    {with_green("postgresql://v:geheim@db2/orders?sslmode=verify-full"),
     "inline-secret: \"password\" may not stand in a playbook"},
    {with_green("postgresql://v@db2/orders?sslmode=verify-full&%70assword=geheim"),
     "inline-secret: a password may not stand in a connection string"},
    {replaced("{ service: orders-green }", "{ service: g, password: geheim }"),
     "inline-secret: \"password\" may not stand in a playbook"},
    {with_green(kHost + " options='-c role=x'"), "conninfo-keyword: \"options\" may not stand in a connection string"},
    {with_green(kHost + " replication=database"),
     "conninfo-keyword: \"replication\" may not stand in a connection string"},
    {with_green(kHost + " target_session_attrs=any"),
     "conninfo-keyword: \"target_session_attrs\" may not stand in a connection string"},
    {with_green("host=db2 sslmode=verify-full"), "conninfo: the connection string lacks dbname, user"},
    {with_green("dbname=orders user=v"), "conninfo: the connection string lacks host"},
    {with_green("host=/run/pg dbname=orders user=v"), "accepted"},
    {with_green("host=127.0.0.1 dbname=orders user=v"), "accepted"},
    {with_green("host=::1 dbname=orders user=v"), "accepted"},
    {with_green("host=localhost hostaddr=10.0.0.1 dbname=orders user=v"),
     "tls: no sslmode, which means prefer, is weaker than verify-full for a remote host"},
    {with_green("host=db2 dbname=orders user=v"),
     "tls: no sslmode, which means prefer, is weaker than verify-full for a remote host"},
    {with_green("host=db2 dbname=orders user=v sslmode=require"),
     "tls: sslmode=require is weaker than verify-full for a remote host"},
    {with_green("host=db2 dbname=orders user=v sslmode=require", "\n  tls: require"), "accepted"},
    {with_green(kHost + " port=0"), "range: port: 0 is out of range (1 to 65535)"},
    {with_green(kHost + " port=65536"), "range: port: 65536 is out of range (1 to 65535)"},
    {with_green(kHost + " port=05432"), "number: port: \"05432\" is not a whole decimal number"},
    {with_green("host=db1,db2 dbname=orders user=v sslmode=verify-full"),
     "conninfo: the connection string names several hosts; one connection string means one server"},
    {with_green("host='db 2' dbname=orders user=v sslmode=verify-full"),
     "conninfo: the connection string has a blank in its host"},
    {with_green("host=fe80::zz dbname=orders user=v sslmode=verify-full"),
     "conninfo: the connection string has a host that is not an IPv6 address"},
    {with_green("host=[::1] dbname=orders user=v sslmode=verify-full"),
     "conninfo: the connection string has brackets around its host; they belong to the URI form only"},
    {with_green("host=run/pg dbname=orders user=v sslmode=verify-full"),
     "conninfo: the connection string has a relative socket directory as its host"},
    {with_green(kHost + " nonsense=1"), "conninfo: connection string: invalid connection option \"nonsense\""},
    {with_green(kHost + " passfile=.pgpass"),
     "passfile: passfile \".pgpass\" is not an absolute path; libpq would look for it in the current directory"},
    {with_green(kHost + " passfile=/nowhere/pgpass"), "passfile: passfile \"/nowhere/pgpass\" does not exist"},
    {replaced("orders-green", "orders-blue"), "same-database: blue and green are the same database"},
    {replaced("{ service: orders-green }", "{}"),
     "missing-key: \"clusters.green\" must name either service or conninfo"},
    {replaced("service=to-green", "host=/a dbname=x user=r options=-c"),
     "conninfo-keyword: \"options\" may not stand in a connection string"},
    {replaced("service=to-green", "service=to-blue"), "same-database: to_blue and to_green lead to the same database"},
    {replaced("service=to-green", "host=/a dbname=x user=r passfile=/on/that/server"), "accepted"},
};

const std::string kInstance = "{ admin: \"host=/run/a port=6432 user=p dbname=pgbouncer\", file: /etc/a.ini }";

const Case kPoolers[] = {
    {with_pooler("  databases: [orders]\n  instances: [ " + kInstance + " ]\n"), "accepted"},
    {with_pooler("  databases: [orders]\n  instances: []\n"), "value: \"pooler.instances\" names no pooler"},
    {with_pooler("  databases: []\n  instances: [ " + kInstance + " ]\n"),
     "value: \"pooler.databases\" names no database"},
    {with_pooler("  databases: [orders]\n"), "missing-key: \"pooler.instances\" is missing"},
    {with_pooler("  databases: [orders]\n  instances:\n    - " + kInstance + "\n    - " +
                 replaced("a.ini", "b.ini", replaced("/run/a", "/run/a/", kInstance)) + "\n"),
     "pooler-repeated: two pooler instances have the same console"},
    {with_pooler("  databases: [orders]\n  instances:\n    - " + kInstance + "\n    - " +
                 replaced("/run/a", "/run/b", kInstance) + "\n"),
     "pooler-repeated: two pooler instances have the same file"},
    {with_pooler("  databases: [orders]\n  instances:\n    - " + replaced("file:", "include: x.ini, file:", kInstance) + "\n    - " +
                 replaced("file: ", "include: x.ini, file: b-", replaced("6432", "6433", kInstance)) + "\n"),
     "pooler-repeated: two pooler instances have the same included file"},
    {with_pooler("  databases: [orders]\n  instances: [ " + replaced("file: ", "include: /etc/a.ini, file: ", kInstance) + " ]\n"),
     "value: \"pooler.instances[].include\" names the main file"},
    {with_pooler("  databases: [orders]\n  instances: [ " + replaced(" port=6432", "", kInstance) + " ]\n"),
     "conninfo: the connection string lacks port"},
    {with_pooler("  databases: [orders]\n  instances: [ " + replaced("dbname=pgbouncer", "dbname=orders", kInstance) +
                 " ]\n"),
     "conninfo: the console of PgBouncer is the database \"pgbouncer\""},
    {with_pooler("  databases: [orders]\n  reads: [orders_ro]\n  instances: [ " + kInstance + " ]\n"), "accepted"},
    {with_pooler("  databases: [orders]\n  reads: [orders]\n  instances: [ " + kInstance + " ]\n"),
     "value: \"orders\" stands in \"pooler.databases\", too"},
    {with_pooler("  databases: [orders]\n  reads: [ro, ro]\n  instances: [ " + kInstance + " ]\n"), "value: \"ro\" stands twice"},
    {with_pooler("  databases: [orders]\n  reads: []\n  instances: [ " + kInstance + " ]\n"), "value: \"pooler.reads\" names no database"},
    {with_pooler("  driver: none\n  reads: [orders_ro]\n"), "value: \"pooler.reads\" means nothing with driver: none"},
    {with_pooler("  driver: none\n  databases: [orders]\n"),
     "value: \"pooler.databases\" means nothing with driver: none"},
    {with_pooler("  databases: [orders]\n  pause: { timeout: 5s }\n  instances: [ " + kInstance + " ]\n"),
     "range: pooler.pause.timeout (5s) must be shorter than cutover.max_pause (5s)"},
};

}  // namespace

TEST(PlaybookScalars, AreDecimalWithUnitsAndWithinRange) {
  for (const Case& each : kScalars) EXPECT_EQ(only_fault(each.text), each.fault) << each.text;
}

TEST(PlaybookConninfo, IsCompleteWithoutSecretAndEncrypted) {
  for (const Case& each : kConninfos) {
    EXPECT_EQ(only_fault(each.text).substr(0, each.fault.size()), each.fault) << each.text;
    EXPECT_EQ(only_fault(each.text).find("geheim"), std::string::npos);
  }
}

TEST(PlaybookPooler, InstancesAreNamedOnceAndReachable) {
  for (const Case& each : kPoolers) EXPECT_EQ(only_fault(each.text), each.fault) << each.text;
}

TEST(PlaybookPooler, TheIncludedFileHasAPlaceOfItsOwnForEachProcess) {
  const auto include_of = [](const std::string& instance) {
    return decoded(with_pooler("  databases: [orders]\n  instances: [ " + instance + " ]\n")).pooler.instances.at(0).include;
  };
  EXPECT_EQ(include_of(kInstance), "/etc/verdigris/orders-a.ini");
  EXPECT_EQ(include_of(replaced("a.ini", "pgbouncer/pgbouncer.ini", kInstance)), "/etc/pgbouncer/verdigris/orders.ini");
  EXPECT_EQ(include_of(replaced("file: ", "include: more.ini, file: ", kInstance)), "/etc/verdigris/more.ini") << "beside the playbook";
}

TEST(PlaybookConninfo, BooleansAreOnlyTrueAndFalse) {
  EXPECT_TRUE(parse_boolean("true"));
  for (const char* text : {"yes", "on", "True", "1", ""}) EXPECT_THROW(parse_boolean(text), Error) << text;
}

TEST(Playbook, DefaultsAreThoseOfTheDesign) {
  const Playbook playbook = decoded(kSample);
  EXPECT_EQ(playbook.name, "orders");
  EXPECT_EQ(playbook.blue.value("service"), "orders-blue");
  EXPECT_EQ(playbook.tls, "verify-full");
  EXPECT_EQ(playbook.replication.include, std::vector<std::string>{"*.*"});
  EXPECT_EQ(playbook.replication.copy_workers, 2);
  EXPECT_EQ(playbook.replication.reverse, ReverseMode::required);
  EXPECT_EQ(playbook.cutover.max_pause, milliseconds(5000));
  EXPECT_EQ(playbook.fence.lock_timeout, milliseconds(500));
  EXPECT_FALSE(playbook.migrations.dir);
}

TEST(Playbook, HowMuchOfBlueACopyMayHave) {
  const auto pace = decoded(replaced("  conninfo: {", "  copy: { max_rate: 20MiB, max_load: { active_sessions: 64, "
                                                      "standby_lag: 10s, commit: 100ms } }\n  conninfo: {"))
                        .replication.copy_pace;
  EXPECT_EQ(pace.max_bytes_per_second, 20 << 20);
  EXPECT_EQ(pace.max_load.active_sessions, 64);
  EXPECT_EQ(pace.max_load.standby_lag, std::chrono::seconds(10));
  EXPECT_EQ(pace.max_load.commit, milliseconds(100));
  EXPECT_EQ(decoded(replaced("  conninfo: {", "  copy: { ddl_wait: 5s }\n  conninfo: {")).replication.copy_ddl_wait,
            std::chrono::seconds(5));
  EXPECT_THROW(decoded(replaced("  conninfo: {", "  copy: { max_rate: 1KiB }\n  conninfo: {")), Error);
  EXPECT_THROW(decoded(replaced("  conninfo: {", "  copy: { max_load: { sessions: 3 } }\n  conninfo: {")), Error);
}

TEST(Playbook, RelativePathsStartBesideIt) {
  EXPECT_EQ(decoded(with_line("migrations: { dir: migrations/orders }")).migrations.dir,
            "/etc/verdigris/migrations/orders");
  EXPECT_EQ(decoded(with_line("migrations: { dir: ../m }")).migrations.dir, "/etc/m");
}

TEST(Playbook, EnvironmentReferencesStayText) {
  EXPECT_EQ(decoded(with_line("migrations: { dir: \"${HOME}\" }")).migrations.dir, "/etc/verdigris/${HOME}");
}

TEST(Playbook, ErrorsAreSortedAndComplete) {
  EXPECT_EQ(list_faults(replaced("kind: Cutover", "kind: Cutovr", with_line("zzz: 1\ncutover: { max_pause: 30 }"))),
            "2:7 value 11:1 unknown-key 12:23 unit");
}
