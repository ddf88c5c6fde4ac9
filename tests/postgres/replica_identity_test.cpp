#include "replication/replica_identity.hpp"

#include <gtest/gtest.h>

#include "replication/control_schema.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {
namespace {

class ReplicaIdentity : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    NEED_POSTGRES(GetParam());
    blue.emplace(side(shared_pair(GetParam(), GetParam()).blue(), "blue"));
    install_control_schema(on(), "shop", "blue", soon());
  }
  Connection& on() { return blue->control(); }
  std::vector<IdentityChange> plan(int other_major = 15) { return plan_identities(on(), {}, other_major, soon()); }
  std::string refusal(int other_major = 15) {
    try {
      plan(other_major);
    } catch (const Refused& error) {
      return error.id() + " " + error.what();
    }
    return "none";
  }
  std::string identities() {
    return value(on(),
                 "SELECT string_agg(relname || '=' || relreplident::text, ' ' ORDER BY relname) FROM pg_class "
                 "WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace");
  }
  std::optional<Server> blue;
};

TEST_P(ReplicaIdentity, KeysAreKeptAndTheRestGetsAnIndexOrFull) {
  run(on(), R"sql(
    CREATE TABLE public.a_key (id int PRIMARY KEY, j json);
    CREATE TABLE public.b_deferred (id int PRIMARY KEY DEFERRABLE);
    CREATE TABLE public.c_unique (a int NOT NULL, b int NOT NULL, c int);
    CREATE UNIQUE INDEX c_wide ON public.c_unique (a, b);
    CREATE UNIQUE INDEX "c_narrow""{}" ON public.c_unique (b);
    CREATE TABLE public.d_useless (a int, b int NOT NULL, c text NOT NULL);
    CREATE UNIQUE INDEX ON public.d_useless (a);
    CREATE UNIQUE INDEX ON public.d_useless (b) WHERE b > 0;
    CREATE UNIQUE INDEX ON public.d_useless (lower(c));
    CREATE TABLE public.e_nothing (id int PRIMARY KEY); ALTER TABLE public.e_nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE public.f_parent (id int PRIMARY KEY);
    CREATE TABLE public.g_child () INHERITS (public.f_parent);
    CREATE TABLE public.h_tree (a int) PARTITION BY RANGE (a);
    CREATE TABLE public.i_leaf PARTITION OF public.h_tree DEFAULT;
    CREATE TABLE public.j_empty ();
    CREATE UNLOGGED TABLE public.k_unlogged (a int))sql");
  const auto before = identities();
  EXPECT_THROW(require_no_change(on(), plan()), Refused);
  apply_identities(on(), "shop", plan(), soon());
  EXPECT_EQ(identities(),
            "a_key=d b_deferred=f c_unique=i d_useless=f e_nothing=d f_parent=d g_child=f h_tree=d i_leaf=f j_empty=f "
            "k_unlogged=d");
  EXPECT_EQ(value(on(), "SELECT indexrelid::regclass::text FROM pg_index WHERE indisreplident"),
            R"(public."c_narrow""{}")");
  EXPECT_TRUE(plan().empty());
  EXPECT_NO_THROW(require_no_change(on(), plan()));
  apply_identities(on(), "shop", plan(), soon());
  restore_identities(on(), "shop", soon());
  EXPECT_EQ(identities(), before);
  EXPECT_TRUE(saved_values(on(), "shop", "identity:", soon()).empty());
  restore_identities(on(), "shop", soon());
}

TEST_P(ReplicaIdentity, IndexThatWasSetBeforeComesBackAndGoneTablesArePassedOver) {
  run(on(), "CREATE TABLE public.t (a int, b int); CREATE TABLE public.gone (a int)");
  apply_identities(on(), "shop", plan(), soon());
  run(on(), "DROP TABLE public.gone");
  EXPECT_EQ(identities(), "t=f");
  restore_identities(on(), "shop", soon());
  EXPECT_EQ(identities(), "t=d");
}

TEST_P(ReplicaIdentity, FullOverATypeWithoutEqualityIsRefusedByColumn) {
  run(on(), R"sql(
    CREATE TYPE public.mood AS ENUM ('a');
    CREATE DOMAIN public.doc AS json;
    CREATE TYPE public.place AS (name text, at point);
    CREATE TABLE public.fine (a varchar(3)[], m public.mood, r int4range, b jsonb, i inet, u uuid, n name, x bytea, c "char");
    CREATE TABLE public.bad (a int, d public.doc[], p public.place, b box, x xml))sql");
  const auto text = refusal();
  EXPECT_TRUE(text.starts_with("ri.full-type ")) << text;
  for (const char* column : {"public.bad.d (json)", "public.bad.p (point)", "public.bad.b (box)", "public.bad.x (xml)"})
    EXPECT_NE(text.find(column), std::string::npos) << column << " in " << text;
  EXPECT_EQ(text.find("fine"), std::string::npos) << text;
  run(on(), "ALTER TABLE public.bad ADD COLUMN id int NOT NULL; CREATE UNIQUE INDEX ON public.bad (id)");
  EXPECT_EQ(refusal(), "none");
}

TEST_P(ReplicaIdentity, GeneratedColumnInAnIdentityIsRefusedFor18) {
  run(on(), "CREATE TABLE public.g (a int, b int GENERATED ALWAYS AS (a + 1) STORED)");
  EXPECT_EQ(refusal(17).starts_with("ri.generated"), GetParam() >= 18);
  EXPECT_TRUE(refusal(18).starts_with("ri.generated"));
}

INSTANTIATE_TEST_SUITE_P(Majors, ReplicaIdentity, testing::Values(13, 15, 18),
                         [](const auto& server) { return "Postgres" + std::to_string(server.param); });

}  // namespace
}  // namespace verdigris::test
