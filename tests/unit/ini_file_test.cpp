#include "controller/ini_file.hpp"

#include <gtest/gtest.h>

#include <map>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

const Endpoint kGreen{"/run/green", "5433", "shop"};

IniFile parse(const std::string& bytes, const std::map<std::string, std::string>& included = {}) {
  return IniFile::parse("main.ini", bytes, [&](const std::string& name) -> std::optional<std::string> {
    const auto found = included.find(name);
    if (found == included.end()) return std::nullopt;
    return found->second;
  });
}

std::string edited(const std::string& bytes, const Endpoint& target = kGreen) {
  return parse(bytes).with_target("shop", target);
}

std::string refusal(const std::string& bytes, const std::map<std::string, std::string>& included = {},
                    const Endpoint& target = kGreen) {
  try {
    parse(bytes, included).with_target("shop", target);
  } catch (const Refused& error) {
    return error.id();
  }
  return "accepted";
}

struct Case {
  const char* what;
  std::string before;
  std::string after;
};

TEST(IniFile, ChangesTheThreeValuesAndKeepsEveryOtherByte) {
  const Case cases[] = {
      {"all three", "[databases]\nshop = host=/run/blue port=5432 dbname=old\n",
       "[databases]\nshop = host=/run/green port=5433 dbname=shop\n"},
      {"order, spacing, other keys",
       "[databases]\n  shop  =  dbname = old   pool_size=7 port=1  password='it''s #1'  host = b \n",
       "[databases]\n  shop  =  dbname = shop   pool_size=7 port=5433  password='it''s #1'  host = /run/green \n"},
      {"CRLF", "[databases]\r\nshop = host=b port=1\r\n\r\n[pgbouncer]\r\n",
       "[databases]\r\nshop = host=/run/green port=5433\r\n\r\n[pgbouncer]\r\n"},
      {"quotes stay", "[databases]\nshop = host='b' port='1' dbname='x y'\n",
       "[databases]\nshop = host='/run/green' port='5433' dbname='shop'\n"},
      {"missing ones come last", "[databases]\nshop = pool_size=3\nx = host=y\n",
       "[databases]\nshop = pool_size=3 host=/run/green port=5433\nx = host=y\n"},
      {"an empty entry", "[databases]\nshop = \n", "[databases]\nshop = host=/run/green port=5433\n"},
      {"no line end", "[databases]\nshop = host=b", "[databases]\nshop = host=/run/green port=5433"},
      {"comments, blank lines, other sections",
       "; shop = host=no\n\n[users]\nshop = pool_mode=statement\n[databases]\n  # shop = x\nshop=host=b port=1\n",
       "; shop = host=no\n\n[users]\nshop = pool_mode=statement\n[databases]\n  # shop = x\nshop=host=/run/green "
       "port=5433\n"},
      {"an entry behind its section on one line", "[databases] shop = host=b port=5433\n",
       "[databases] shop = host=/run/green port=5433\n"},
      {"a wildcard beside it", "[databases]\n* = host=w\nshop = host=b port=5433\n",
       "[databases]\n* = host=w\nshop = host=/run/green port=5433\n"},
      {"nothing to do", "[databases]\nshop = host='/run/green' port=5433\n",
       "[databases]\nshop = host='/run/green' port=5433\n"},
  };
  for (const auto& c : cases) EXPECT_EQ(edited(c.before), c.after) << c.what;
}

TEST(IniFile, QuotesAsPgBouncerDoes) {
  const std::string before = "[databases]\nshop = host=b port=1 dbname=old\n";
  const Endpoint odd{"/run/green server", "5433", "it's"};
  const std::string after = edited(before, odd);
  EXPECT_EQ(after, "[databases]\nshop = host='/run/green server' port=5433 dbname='it''s'\n");
  EXPECT_EQ(parse(after).target("shop"), odd);
}

TEST(IniFile, ADefaultThatIsRightAlreadyIsNotWritten) {
  EXPECT_EQ(edited("[databases]\nshop = host=b\n", {"g", "5432", "shop"}), "[databases]\nshop = host=g\n");
  EXPECT_EQ(edited("[databases]\nshop = host=b\n", {"g", "5432", "other"}),
            "[databases]\nshop = host=g dbname=other\n");
}

TEST(IniFile, RefusesWhatPgBouncerWouldReadOtherwise) {
  const std::string head = "[databases]\n";
  const std::pair<std::string, const char*> cases[] = {
      {head, "pooler.alias-absent"},
      {"[pgbouncer]\nshop = host=b\n", "pooler.alias-absent"},
      {"[databases ]\nshop = host=b\n", "pooler.alias-absent"},
      {head + "* = host=b\n", "pooler.alias-wildcard"},
      {head + "shop = host=b\nshop = host=c\n", "pooler.alias-twice"},
      {head + "shop = host=b ; the old one\n", "pooler.ini-comment"},
      {head + "shop = host=b # the old one\n", "pooler.ini-comment"},
      {head + "shop = host=b ;x=1\n", "pooler.ini-comment"},
      {head + "shop = host=b port=5432;old\n", "pooler.ini-comment"},
      {head + "x = host=b # spoils the file below it\nshop = host=b\n", "pooler.ini-comment"},
      {head + "shop = host=b\tport=1\n", "pooler.ini-syntax"},
      {head + "shop = host='b'port=1\n", "pooler.ini-syntax"},
      {head + "shop = host='b\n", "pooler.ini-syntax"},
      {head + "shop = host='a\\'b'\n", "pooler.ini-syntax"},
      {head + "shop = host=b dbname=''\n", "pooler.ini-syntax"},
      {head + "shop = host=b host=c\n", "pooler.ini-syntax"},
      {head + "\"shop\" = host=b\n", "pooler.ini-syntax"},
      {head + "shop host=b\n", "pooler.ini-syntax"},
      {"[databases\nshop = host=b\n", "pooler.ini-syntax"},
      {head + "shop = host=b\n" + std::string(1, '\0'), "pooler.ini-syntax"},
      {head + "shop = host=a,b port=5432\n", "pooler.host-list"},
      {head + "%include gone.ini\nshop = host=b\n", "pooler.include-unreadable"},
  };
  for (const auto& [bytes, id] : cases) EXPECT_EQ(refusal(bytes), id) << bytes;
}

TEST(IniFile, FollowsIncludesWithTheSectionTheyStandIn) {
  const std::map<std::string, std::string> files{{"entry.ini", "shop = host=b\n"},
                                                 {"users.ini", "[users]\nshop = pool_mode=session\n"},
                                                 {"nested.ini", "%include entry.ini\n"},
                                                 {"loop.ini", "%include loop.ini\n"}};
  EXPECT_EQ(refusal("[databases]\n%include entry.ini\n", files), "pooler.alias-included");
  EXPECT_EQ(refusal("[databases]\n%include\tnested.ini \r\n", files), "pooler.alias-included");
  EXPECT_EQ(refusal("[databases]\nshop = host=b\n%include entry.ini\n", files), "pooler.alias-twice");
  // An include that opens another section leaves it open for the lines behind it.
  EXPECT_EQ(refusal("[databases]\n%include users.ini\nshop = host=b\n", files), "pooler.alias-absent");
  EXPECT_EQ(refusal("[databases]\nshop = host=b\n%include users.ini\n", files), "accepted");
  EXPECT_EQ(refusal("%include loop.ini\n[databases]\nshop = host=b\n", files), "pooler.ini-syntax");
  EXPECT_EQ(refusal("[databases]\nshop = host=b\n%includes = 1\n", files), "pooler.ini-syntax");
}

TEST(IniFile, RefusesATargetThatCannotBeWritten) {
  const std::string file = "[databases]\nshop = host=b\n";
  const std::pair<Endpoint, const char*> cases[] = {
      {{"", "5432", "shop"}, "pooler.target-value"},
      {{"g", "", "shop"}, "pooler.target-value"},
      {{"g", "5432", ""}, "pooler.target-value"},
      {{"g", "54x", "shop"}, "pooler.target-value"},
      {{"g\nx = host=y", "1", "shop"}, "pooler.target-value"},
      {{"g,h", "1", "shop"}, "pooler.host-list"},
  };
  for (const auto& [target, id] : cases) EXPECT_EQ(refusal(file, {}, target), id) << target.host;
}

TEST(IniFile, ThereAndBackGivesTheSameBytes) {
  const Endpoint blue{"/run/blue", "5432", "orders"};
  const char* files[] = {
      "[databases]\nshop = host=/run/blue port=5432 dbname=orders\n",
      "[databases]\r\nshop=dbname='orders' host =  /run/blue   port= '5432' pool_size=2\r\n; end",
      "\n\n#c\n[pgbouncer]\nx=1\n[databases]\na = host=q\n shop = port=5432 password='a b' dbname=orders "
      "host='/run/blue'",
  };
  const Endpoint others[] = {kGreen, {"10.0.0.7", "1", "o"}, {"db2.example.org", "65535", "shop-2"}};
  for (const std::string file : files) {
    EXPECT_EQ(parse(file).target("shop"), blue);
    for (const auto& other : others) {
      const std::string there = edited(file, other);
      EXPECT_EQ(parse(there).target("shop"), other);
      EXPECT_EQ(edited(there, other), there);
      EXPECT_EQ(edited(there, blue), file);
    }
  }
}

TEST(IniFile, KnowsTheSettingsOfThePooler) {
  const auto file = parse("[pgbouncer]\nserver_login_retry = 3\nserver_login_retry=4 \r\n[databases]\nshop=host=b\n");
  EXPECT_EQ(file.setting("server_login_retry"), "4");
  EXPECT_EQ(file.setting("shop"), std::nullopt);
}

TEST(IniFile, AnErrorShowsNoPassword) {
  try {
    edited("[databases]\nshop = host=b password=hunter2 # x\n");
    FAIL() << "accepted";
  } catch (const Refused& error) {
    EXPECT_EQ(std::string(error.what()).find("hunter2"), std::string::npos);
  }
}

}  // namespace
}  // namespace verdigris
