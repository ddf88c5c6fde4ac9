// The rules can fail: each thing the layout tests look for is found in a text that has it.
#include "tests/layout/source_scanner.hpp"

#include <gtest/gtest.h>

#include "tests/layout/rules.hpp"

namespace verdigris::layout {
namespace {

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

std::vector<std::string> heads_of(std::string_view source) {
  std::vector<std::string> heads;
  for (const Function& function : functions_of(source)) heads.push_back(function.head);
  return heads;
}

using Heads = std::vector<std::string>;

TEST(SourceScanner, FunctionOf61LinesIsMeasuredAs61) {
  const auto found = functions_of("namespace a {\n\nint f(int x)\n{\n" + repeated("  x += 1;\n", 58) + "}\n}\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].line, 3);
  EXPECT_EQ(found[0].lines, 61);
}

TEST(SourceScanner, BracesInTextAndCommentsAreNoBraces) {
  const auto found = functions_of(R"src(
void f() {
  auto a = "}{\"}"; auto b = '}'; auto n = 1'000'000;  // }
  auto c = R"sql(SELECT '}' "}" FROM t)sql"; /* } */
  auto d = L'"';
}
void g() {}
)src");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].lines, 5);
  EXPECT_EQ(found[1].head, "void g()");
}

TEST(SourceScanner, NamespacesTypesAndTablesAreNoFunctions) {
  EXPECT_EQ(heads_of("namespace a::b { struct S final : B<int> { int x{3}; }; enum class E { kA }; }"), Heads{});
  EXPECT_EQ(heads_of("const std::vector<R> kTable = {{f(1), 2}, {f(3), 4}}; extern \"C\" { int h(); }"), Heads{});
  EXPECT_EQ(heads_of("template <class T = X<int>> class Y { public: Y() = default; };"), Heads{});
  EXPECT_EQ(heads_of("template <class T> concept C = requires(T t) { t.x(); };"), Heads{});
}

TEST(SourceScanner, FunctionsOfEveryFormAreFound) {
  EXPECT_EQ(
      heads_of("class A { public: A() : x_{1}, y_(2) { run(); } private: int g() const noexcept { return 1; } };"),
      (Heads{"A() : x_{1}, y_(2)", "int g() const noexcept"}));
  EXPECT_EQ(heads_of("bool operator==(A, B) { return true; } void f(Options o = {}, int n = 2) { if (n) { g(); } }"),
            (Heads{"bool operator==(A, B)", "void f(Options o = {}, int n = 2)"}));
  EXPECT_EQ(heads_of("template <class T> auto f(T t) -> std::vector<T> { return {t}; } TEST(A, B) { x([] { y(); }); }"),
            (Heads{"template <class T> auto f(T t) -> std::vector<T>", "TEST(A, B)"}));
}

TEST(SourceScanner, AccessSpecifierIsNoPartOfTheFunction) {
  const auto found = functions_of("class A {\n public:\n  void f() {\n  }\n};\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].line, 3);
  EXPECT_EQ(found[0].lines, 2);
}

TEST(SourceScanner, LinesCommentsAndMediansAreCounted) {
  EXPECT_EQ(count_lines("a\nb"), 2);
  EXPECT_EQ(count_lines("a\nb\n"), 2);
  EXPECT_EQ(opening_comment_lines("\n// one\n// two\n#pragma once\n// more\n"), 2);
  EXPECT_EQ(opening_comment_lines("#pragma once\n// late\n"), 0);
  EXPECT_EQ(median({9, 1, 5}), 5);
  EXPECT_EQ(median({}), 0);
}

TEST(LayoutRules, IncludeAgainstTheLineIsFound) {
  EXPECT_EQ(
      wrong_includes({"replication/a.cpp", "#include \"healthcheck/b.hpp\"\n#include <spdlog/spdlog.h>\n"}).size(), 2U);
  EXPECT_EQ(wrong_includes({"healthcheck/a.cpp", "#include \"controller/b.hpp\"\n#include <boost/asio.hpp>\n"}).size(),
            2U);
  EXPECT_EQ(wrong_includes({"controller/a.cpp", "#include \"tests/support/cluster.hpp\"\n"}).size(), 1U);
  EXPECT_EQ(wrong_includes({"controller/a.cpp", "#include \"healthcheck/b.hpp\"\n#include <CLI/CLI.hpp>\n"}).size(),
            0U);
  EXPECT_EQ(wrong_includes({"replication/a.cpp", "#include \"replication/b.hpp\"\n#include <libpq-fe.h>\n"}).size(),
            0U);
}

TEST(LayoutRules, BannedWaitOfBoostProcessIsFound) {
  const std::string include = "#include <boost/process.hpp>\n";
  EXPECT_TRUE(has_banned_wait({"controller/hooks.cpp", include + "void f() { child.wait_for(1s); }"}));
  EXPECT_TRUE(has_banned_wait({"controller/hooks.cpp", "void f() { (void)&bp::child::wait_until; }"}));
  EXPECT_FALSE(has_banned_wait({"controller/process.cpp", include + "void f() { child.wait_for(1s); }"}));
  EXPECT_FALSE(has_banned_wait({"controller/service.cpp", "void f() { condition.wait_for(lock, 1s); }"}));
  EXPECT_FALSE(has_banned_wait({"controller/hooks.cpp", include + "// never wait_for(x)\n"}));
}

TEST(LayoutRules, PathOfAMachineIsFound) {
  const std::string home = "/home";
  EXPECT_TRUE(has_machine_path("see " + home + "/ada/x"));
  EXPECT_TRUE(has_machine_path("\"" + home + "/ada\""));
  EXPECT_FALSE(has_machine_path("https://example.org" + home + "/ada"));
  EXPECT_FALSE(has_machine_path("tests/" + std::string{"work"} + "/x"));
}

TEST(LayoutRules, StemCountsAsNamedInBothSpellings) {
  EXPECT_TRUE(is_named_in("fence_source", "plan.then<FenceSource>(x)"));
  EXPECT_TRUE(is_named_in("fence_source", "the step fence_source"));
  EXPECT_FALSE(is_named_in("fence_source", "FenceSources, fence_source_late, fence source"));
}

}  // namespace
}  // namespace verdigris::layout
