// The section provision: a green that is there, or one that is made here, with all that is needed to make it.
#include <gtest/gtest.h>

#include "tests/unit/config_sample.hpp"

using namespace verdigris;
using namespace verdigris::tests;

namespace {

// As the sample, but how green is reached is written out.
std::string reachable() {
  const auto text =
      replaced("{ service: orders-green }", "{ conninfo: \"host=/run/green port=5433 dbname=orders user=v\" }");
  return replaced("\"service=to-green\"", "\"host=/run/green port=5433 dbname=orders user=r\"", text);
}

std::string with_keys(const std::string& keys) {
  return reachable() + "provision: { " + keys + " }\n";
}

const std::string kWhole = "green: initdb, data_directory: /srv/green, bindir: /usr/lib/postgresql/17/bin";

const std::string kPhysical = "green: physical, data_directory: /srv/green, bindir: /usr/lib/postgresql/17/bin";
const std::string kCommand = "green: command, argv: [/usr/bin/make, orders], timeout: 10m";

std::string with_more(const std::string& keys) {
  return with_keys(kWhole + ", " + keys);
}

struct Case {
  std::string text, fault;
};

const Case kCases[] = {
    {with_keys("green: existing"), "accepted"},
    {with_keys(kWhole), "accepted"},
    {with_more("user: postgres, load_profile: keep-fsync, settings: { shared_buffers: 8GB, jit: off }"), "accepted"},
    {with_keys("green: initbd"), "value: \"initbd\" is not one of existing, initdb, command, physical; did you mean \"initdb\"?"},
    {with_keys(kPhysical), "accepted"},
    {with_keys(kPhysical + ", user: postgres, settings: { jit: off }"), "accepted"},
    {with_keys(kPhysical + ", load_profile: full"), "value: \"provision.load_profile\" means nothing with green: physical"},
    {with_keys("green: physical, bindir: /x/bin"), "missing-key: \"provision.data_directory\" is missing"},
    {replaced("\"host=/run/green port=5433 dbname=orders user=r\"", "\"service=to-green\"", with_keys(kPhysical)),
     "value: \"provision.green: physical\" needs host and user in \"replication.conninfo.to_green\""},
    {with_keys(kCommand), "accepted"},
    {with_keys(kCommand + ", drop: { argv: [/usr/bin/drop], timeout: 5m }"), "accepted"},
    {with_keys("green: command, timeout: 10m"), "missing-key: \"provision.argv\" is missing"},
    {with_keys("green: command, argv: [/usr/bin/make]"), "missing-key: \"provision.timeout\" is missing"},
    {with_keys("green: command, argv: [], timeout: 10m"), "value: \"provision.argv\" names no program"},
    {with_keys("green: command, argv: [make], timeout: 10m"), "value: \"make\" is not the absolute path of a program"},
    {with_keys(kCommand + ", drop: { argv: [/usr/bin/drop] }"), "missing-key: \"provision.drop.timeout\" is missing"},
    {with_keys(kCommand + ", bindir: /x"), "value: \"provision.bindir\" means nothing with green: command"},
    {with_keys(kWhole + ", argv: [/usr/bin/make]"), "value: \"provision.argv\" means nothing with green: initdb"},
    {replaced("host=/run/green port=5433 dbname=orders user=v", "port=5433", with_keys(kCommand)), "accepted"},
    {replaced("  green: { conninfo: \"host=/run/green port=5433 dbname=orders user=v\" }\n", "", with_keys(kCommand)), "accepted"},
    {replaced("host=/run/green port=5433 dbname=orders user=r", "user=r", with_keys(kCommand)), "accepted"},
    {replaced("host=/run/green port=5433 dbname=orders user=r", "port=5433", with_keys(kCommand)),
     "value: \"provision.green: command\" needs user in \"replication.conninfo.to_green\""},
    {replaced("host=/run/green port=5433 dbname=orders user=v", "port=5433", with_keys("green: existing")),
     "conninfo: the connection string lacks host, dbname, user"},
    {with_keys("green: existing, bindir: /x"), "value: \"provision.bindir\" means nothing with green: existing"},
    {with_keys("load_profile: off"), "value: \"provision.load_profile\" means nothing with green: existing"},
    {with_keys("green: existing, binder: /x"),
     "unknown-key: \"binder\" is not a key of \"provision\"; did you mean \"bindir\"?"},
    {with_keys("green: initdb, bindir: /x/bin"), "missing-key: \"provision.data_directory\" is missing"},
    {with_keys("green: initdb, data_directory: /srv/green"), "missing-key: \"provision.bindir\" is missing"},
    {with_keys("green: initdb, bindir: /x/bin, data_directory: green"),
     "value: \"green\" is not the absolute path of a directory"},
    {with_keys("green: initdb, bindir: /x/bin, data_directory: /"),
     "value: \"/\" is not the absolute path of a directory"},
    {with_keys("green: initdb, bindir: /x/bin, data_directory: /srv/.."),
     "value: \"/srv/..\" is not the absolute path of a directory"},
    {with_more("user: root"), "value: \"root\" cannot run PostgreSQL"},
    {with_more("load_profile: ful"), "value: \"ful\" is not one of full, keep-fsync, off; did you mean \"full\"?"},
    {with_more("load_profil: full"),
     "unknown-key: \"load_profil\" is not a key of \"provision\"; did you mean \"load_profile\"?"},
    {with_more("settings: { port: 5433 }"), "value: \"port\" is set by verdigris"},
    {with_more("settings: { fsync: off }"), "value: \"fsync\" is set by verdigris"},
    {with_more("settings: { include: /etc/passwd }"), "value: \"include\" is set by verdigris"},
    {with_more("settings: { \"work_mem = 1\": x }"), "value: \"work_mem = 1\" is not the name of a setting"},
    {with_more("settings: { work_mem: \"4MB\\nfsync = off\" }"), "value: \"work_mem\" has more than one line"},
    {with_more("settings: { work_mem: [1] }"),
     "type: \"provision.settings.work_mem\" must be a single value, not a list"},
    {with_more("settings: 4MB"), "type: \"provision.settings\" must be a mapping, not a single value"},
    {replaced("\"host=/run/green port=5433 dbname=orders user=r\"", "\"service=to-green\"", with_keys(kWhole)),
     "value: \"provision.green: initdb\" needs host and user in \"replication.conninfo.to_green\""},
};

TEST(PlaybookProvision, SaysWhetherGreenIsThereOrMadeAndNothingIsIgnored) {
  for (const Case& each : kCases) EXPECT_EQ(only_fault(each.text), each.fault) << each.text;
}

TEST(PlaybookProvision, FaultsStandWhereTheyAre) {
  EXPECT_EQ(list_faults(with_line("provision: { green: initdb }")),
            "11:1 missing-key 11:1 missing-key 11:14 value 11:14 value");
  EXPECT_EQ(list_faults(with_line("provision: initdb")), "11:12 type");
}

TEST(PlaybookProvision, IsDecodedAsWritten) {
  const auto settings =
      decoded(with_more("user: postgres, load_profile: keep-fsync, settings: { jit: off, work_mem: 64MB }")).provision;
  EXPECT_TRUE(settings.is_initdb());
  EXPECT_EQ(settings.data_directory, "/srv/green");
  EXPECT_EQ(settings.bindir, "/usr/lib/postgresql/17/bin");
  EXPECT_EQ(settings.user, "postgres");
  EXPECT_EQ(settings.load_profile, LoadProfile::keep_fsync);
  const std::vector<std::pair<std::string, std::string>> expected{{"jit", "off"}, {"work_mem", "64MB"}};
  EXPECT_EQ(settings.settings, expected);
  EXPECT_EQ(decoded(with_keys(kWhole)).provision.load_profile, LoadProfile::full);
  EXPECT_FALSE(decoded(kSample).provision.is_initdb());
  const auto by_command = decoded(with_keys(kCommand + ", drop: { argv: [/usr/bin/drop], timeout: 5m }")).provision;
  EXPECT_TRUE(by_command.is_command());
  EXPECT_EQ(by_command.make.argv, (std::vector<std::string>{"/usr/bin/make", "orders"}));
  EXPECT_EQ(by_command.make.timeout, std::chrono::minutes{10});
  EXPECT_EQ(by_command.drop.value_or(CommandLine{}).timeout, std::chrono::minutes{5});
}

}  // namespace
