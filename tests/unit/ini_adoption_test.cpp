// The texts of an adoption: what moves, what stays byte for byte, and what is refused.
#include "controller/ini_adoption.hpp"

#include <gtest/gtest.h>

#include <map>

#include "replication/errors.hpp"

namespace verdigris {
namespace {

const std::string kIncluded = "/etc/pgbouncer/verdigris/shop.ini";
const std::string kProbe = "verdigris_probe_1 = host=127.0.0.1 port=1 dbname=x\n";
const std::string kHead = "; managed by verdigris\n[databases]\n";

IniFile parse(const std::string& bytes, const std::map<std::string, std::string>& included = {}) {
  return IniFile::parse(
      "main.ini", bytes,
      [&](const std::string& name) -> std::optional<std::string> {
        const auto found = included.find(name);
        if (found == included.end()) return std::nullopt;
        return found->second;
      },
      kIncluded);
}

AdoptedTexts adopted(const std::string& bytes, const std::map<std::string, std::string>& included = {},
                     const std::vector<std::string>& aliases = {"shop"}) {
  return adopted_texts(parse(bytes, included), aliases, kIncluded);
}

std::string refusal(const std::string& bytes, const std::map<std::string, std::string>& included = {},
                    const std::string& path = kIncluded) {
  try {
    adopted_texts(parse(bytes, included), {"shop"}, path);
  } catch (const Refused& error) {
    EXPECT_NE(error.hint(), "") << error.id();
    return error.id();
  }
  return "accepted";
}

struct Case {
  const char* what;
  std::string before, main, included;
};

TEST(IniAdoption, MovesTheLineAndKeepsEveryOtherByte) {
  const std::string last = "%include " + kIncluded + "\n";
  const Case cases[] = {
      {"a line among others", "[databases]\n; ours\n  shop  =  host=b  port=1\nother = host=c\n\n[pgbouncer]\nx = 1\n",
       "[databases]\n; ours\nother = host=c\n\n[pgbouncer]\nx = 1\n" + last, kHead + "shop = host=b  port=1\n"},
      {"CRLF", "[databases]\r\nshop = host=b\r\n[pgbouncer]\r\n", "[databases]\r\n[pgbouncer]\r\n%include " + kIncluded + "\r\n",
       kHead + "shop = host=b\n"},
      {"no line end", "[databases]\nshop = host=b", "[databases]\n" + last, kHead + "shop = host=b\n"},
      {"behind its section on one line", "[databases] shop = host=b\n[users]\n", "[databases]\n[users]\n" + last,
       kHead + "shop = host=b\n"},
      {"the same, CRLF", "[databases] shop = host=b\r\n[users]\r\n", "[databases]\r\n[users]\r\n%include " + kIncluded + "\r\n",
       kHead + "shop = host=b\n"},
      {"a wildcard beside it", "[databases]\n* = host=w\nshop = host=b\n", "[databases]\n* = host=w\n" + last, kHead + "shop = host=b\n"},
      {"an empty entry", "[databases]\nshop =\n", "[databases]\n" + last, kHead + "shop = \n"},
      {"secrets and quotes", "[databases]\nshop = password='it''s ;' host='b'\n", "[databases]\n" + last,
       kHead + "shop = password='it''s ;' host='b'\n"},
  };
  for (const auto& c : cases) {
    const auto texts = adopted(c.before);
    EXPECT_EQ(texts.main, c.main) << c.what;
    EXPECT_EQ(texts.included, c.included) << c.what;
    EXPECT_EQ(texts.moved, std::vector<std::string>{"shop"}) << c.what;
  }
}

TEST(IniAdoption, SaysTheSameToPgBouncerBeforeAndAfter) {
  const std::string before = "[databases]\nshop_ro = host=b port=1 pool_size=2\nx = host=y\nshop = dbname=shop host=b\n[pgbouncer]\nx = 1\n";
  const auto texts = adopted(before, {}, {"shop", "shop_ro"});
  EXPECT_EQ(texts.moved, (std::vector<std::string>{"shop", "shop_ro"}));
  const auto old_file = parse(before);
  const auto new_file = parse(texts.main, {{kIncluded, texts.included}});
  EXPECT_EQ(new_file.entries().size(), old_file.entries().size());
  for (const char* alias : {"shop", "shop_ro"}) {
    EXPECT_TRUE(new_file.is_adopted(alias));
    EXPECT_FALSE(old_file.is_adopted(alias));
    EXPECT_EQ(new_file.definition(alias).value, old_file.definition(alias).value);
    EXPECT_EQ(new_file.target(alias), old_file.target(alias));
  }
  EXPECT_FALSE(new_file.is_adopted("x"));
}

TEST(IniAdoption, AnAdoptedLineIsEditedInTheIncludedFile) {
  const std::string main = "[databases]\nx = host=y\n%include " + kIncluded + "\n";
  const auto file = parse(main, {{kIncluded, kHead + "shop = host=b port=1\n"}});
  EXPECT_EQ(file.with_target("shop", {"g", "2", "shop"}), kHead + "shop = host=g port=2\n");
  EXPECT_EQ(file.bytes(), main);
}

TEST(IniAdoption, IsDoneOnceAndGoesOnWhereItWasInterrupted) {
  const std::string included = kHead + "shop = host=b\n";
  const std::string last = "%include " + kIncluded + "\n";
  const auto again = adopted("[databases]\n" + last, {{kIncluded, included}});
  EXPECT_TRUE(again.moved.empty());
  EXPECT_EQ(again.included, included);
  // Killed between the writing of the two files, with the main file reading ours for another database already.
  const auto half = adopted("[databases]\nshop = host=b\n" + last, {{kIncluded, included}});
  EXPECT_EQ(half.main, "[databases]\n" + last);
  EXPECT_EQ(half.included, included);
  const auto one_more = adopted("[databases]\nshop_ro = host=b\n" + last, {{kIncluded, included}}, {"shop", "shop_ro"});
  EXPECT_EQ(one_more.moved, std::vector<std::string>{"shop_ro"});
  EXPECT_EQ(one_more.included, included + "shop_ro = host=b\n");
  EXPECT_EQ(one_more.main, "[databases]\n" + last);
}

TEST(IniAdoption, RefusesWhatIsNotOneLineOfTheMainFile) {
  const std::string head = "[databases]\n";
  const std::string last = "%include " + kIncluded + "\n";
  const std::map<std::string, std::string> foreign{{"theirs.ini", "shop = host=b\n"}};
  EXPECT_EQ(refusal(head + "%include theirs.ini\n", foreign), "pooler.alias-included");
  EXPECT_EQ(refusal(head + "shop = host=b\n%include theirs.ini\n", foreign), "pooler.alias-twice");
  EXPECT_EQ(refusal(head + "shop = host=b\nshop = host=c\n"), "pooler.alias-twice");
  EXPECT_EQ(refusal(head + "* = host=b\n"), "pooler.alias-wildcard");
  EXPECT_EQ(refusal(head), "pooler.alias-absent");
  EXPECT_EQ(refusal(head + "shop = host=b # old\n"), "pooler.ini-comment");
  EXPECT_EQ(refusal(head + "shop = host=b\n" + last), "pooler.include-unreadable") << "the included file is gone";
  EXPECT_EQ(refusal(head + "shop = host=c\n" + last, {{kIncluded, kHead + "shop = host=b\n"}}), "pooler.alias-twice");
  EXPECT_EQ(refusal(head + last, {{kIncluded, "[databases]\nshop = host=b\n"}}), "pooler.include-foreign");
  EXPECT_EQ(refusal(head + last + last, {{kIncluded, kHead + "shop = host=b\n"}}), "pooler.alias-twice");
  EXPECT_EQ(refusal(head + "shop = host=b\n", {}, "verdigris/shop.ini"), "pooler.include-path");
  EXPECT_EQ(refusal(head + "shop = host=b\n", {}, "/tmp/a\nb"), "pooler.include-path");
}

TEST(IniAdoption, AProbeStandsInTheSectionOfTheDatabaseAndLeavesNothing) {
  for (const std::string& included : std::vector<std::string>{kHead + "shop = host=b\n[pgbouncer]\nx = 1\n", kHead + "# x\n  shop = host=b", "; managed by verdigris\n[databases] shop = host=b\n", "; managed by verdigris\nshop = host=b\n",
                                     std::string("; managed by verdigris\n[users]\nshop = pool_mode=session\n[databases]\nshop = host=b\n")}) {
    const std::string with = with_lines(included, "shop", kProbe);
    const auto file = IniFile::parse("main.ini", "[databases]\n%include " + kIncluded + "\n", [&](const std::string&) { return with; }, kIncluded);
    EXPECT_EQ(file.definition("verdigris_probe_1").section, "databases") << with;
    EXPECT_EQ(file.target("verdigris_probe_1").port, "1") << with;
    EXPECT_EQ(file.target("shop").host, "b") << with;
    EXPECT_EQ(without_probes(with).find("probe"), std::string::npos);
    EXPECT_EQ(without_probes(without_probes(with)), without_probes(with));
  }
  EXPECT_EQ(without_probes(with_lines(kHead + "shop = host=b\n", "shop", kProbe)), kHead + "shop = host=b\n");
}

}  // namespace
}  // namespace verdigris
