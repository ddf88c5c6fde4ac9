#include "tests/support/varied_schema.hpp"

#include "tests/support/cluster.hpp"

namespace verdigris::test {

void create_varied_schema(Connection& on) {
  run(on, R"sql(
    CREATE SCHEMA "od""d {}" AUTHORIZATION app_owner;
    CREATE TYPE public.mood AS ENUM ('good', 'b''ad');
    CREATE DOMAIN "od""d {}".amount AS numeric(12, 2) CHECK (VALUE >= 0);
    CREATE TYPE public.pair AS (x int, "select" text);
    CREATE SEQUENCE public.loose START 7 INCREMENT 3;
    CREATE TABLE public.orders (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text, mood public.mood NOT NULL DEFAULT 'good',
      total "od""d {}".amount, doubled numeric GENERATED ALWAYS AS (total * 2) STORED,
      tags text[], doc jsonb, raw bytea, p public.pair, at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX orders_note ON public.orders (lower(note));
    CREATE TABLE "od""d {}"."lines;--'" (
      order_id bigint NOT NULL REFERENCES public.orders ON DELETE CASCADE, "no" int NOT NULL, "user" text,
      PRIMARY KEY (order_id, "no"));
    CREATE TABLE public.log (at timestamptz, line text, n int);
    CREATE TABLE public.unique_only (a int NOT NULL, b int NOT NULL, c text);
    CREATE UNIQUE INDEX unique_only_ab ON public.unique_only (a, b);
    CREATE TABLE public.deferred (a int PRIMARY KEY DEFERRABLE, b text);
    CREATE TABLE public.events (id bigint NOT NULL, region text NOT NULL, at date NOT NULL, body text,
                                PRIMARY KEY (id, region, at)) PARTITION BY LIST (region);
    CREATE TABLE public.events_eu PARTITION OF public.events FOR VALUES IN ('eu') PARTITION BY RANGE (at);
    CREATE TABLE public.events_eu_old PARTITION OF public.events_eu FOR VALUES FROM ('2000-01-01') TO ('2024-01-01')
      PARTITION BY HASH (id);
    CREATE TABLE public.events_eu_old_0 PARTITION OF public.events_eu_old FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE public.events_eu_old_1 PARTITION OF public.events_eu_old FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE public.events_eu_new PARTITION OF public.events_eu DEFAULT;
    CREATE TABLE public.events_rest PARTITION OF public.events DEFAULT;
    CREATE TABLE public.parent (id int PRIMARY KEY, name text);
    CREATE TABLE public.child (extra int) INHERITS (public.parent);
    CREATE TABLE public.nothing ();
    CREATE TABLE public.checked (id int PRIMARY KEY, v int);
    INSERT INTO public.checked VALUES (1, -5);
    ALTER TABLE public.checked ADD CONSTRAINT positive CHECK (v > 0) NOT VALID;
    CREATE VIEW public.totals AS SELECT mood, sum(total) AS total FROM public.orders GROUP BY mood;
    CREATE MATERIALIZED VIEW public.notes AS SELECT id, note FROM public.orders;
    CREATE MATERIALIZED VIEW public.count_of_notes AS SELECT count(*) FROM public.notes;
    CREATE UNIQUE INDEX notes_id ON public.notes (id);
    CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := NEW.note || '!'; RETURN NEW; END $$;
    CREATE TRIGGER touch BEFORE INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.touch();
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
    GRANT USAGE ON SCHEMA "od""d {}" TO app;
    ALTER TABLE public.orders OWNER TO app_owner;
    ALTER TABLE "od""d {}"."lines;--'" OWNER TO app_owner)sql");
}

void fill_varied_schema(Connection& on) {
  run(on, R"sql(
    INSERT INTO public.orders (note, mood, total, tags, doc, raw, p)
      SELECT CASE WHEN i % 7 = 0 THEN NULL ELSE E'n\t\\' || i || E'\n' END,
             CASE WHEN i % 2 = 0 THEN 'good' ELSE 'b''ad' END::public.mood, i / 3.0,
             ARRAY['a"', NULL, i::text], jsonb_build_object('k', i), decode(md5(i::text), 'hex'),
             ROW(i, 'x,"' || i)::public.pair
      FROM generate_series(1, 3000) AS i;
    INSERT INTO "od""d {}"."lines;--'" SELECT i, n, repeat('z', i % 50) FROM generate_series(1, 3000) AS i, generate_series(1, 2) AS n;
    INSERT INTO public.log SELECT now(), 'line ' || i, i FROM generate_series(1, 2000) AS i;
    INSERT INTO public.unique_only SELECT i, i % 10, 'c' FROM generate_series(1, 2000) AS i;
    INSERT INTO public.deferred SELECT i, 'd' FROM generate_series(1, 500) AS i;
    INSERT INTO public.events
      SELECT i, CASE WHEN i % 3 = 0 THEN 'us' ELSE 'eu' END, date '2020-01-01' + i, 'body ' || i
      FROM generate_series(1, 3000) AS i;
    INSERT INTO public.parent SELECT i, 'p' FROM generate_series(1, 100) AS i;
    INSERT INTO public.child SELECT i, 'c', i FROM generate_series(1, 100) AS i;
    INSERT INTO public.nothing SELECT FROM generate_series(1, 10);
    SELECT setval('public.loose', 1000);
    REFRESH MATERIALIZED VIEW public.notes;
    REFRESH MATERIALIZED VIEW public.count_of_notes)sql");
}

void write_varied_schema(Connection& on, int n) {
  const std::string i = std::to_string(n);
  run(on, R"sql(BEGIN;
    INSERT INTO public.orders (note, total) VALUES ('w)sql" +
              i + R"sql(', )sql" + i + R"sql();
    INSERT INTO "od""d {}"."lines;--'" SELECT max(id), 9, 'w' FROM public.orders;
    UPDATE public.orders SET note = note || ')sql" +
              i + R"sql(' WHERE id = )sql" + i + R"sql( % 3000 + 1;
    DELETE FROM "od""d {}"."lines;--'" WHERE order_id = )sql" +
              i + R"sql( % 3000 + 1 AND "no" = 2;
    INSERT INTO public.log VALUES (now(), 'w)sql" +
              i + R"sql(', )sql" + i + R"sql();
    UPDATE public.log SET line = line || '.' WHERE n = )sql" +
              i + R"sql( % 2000;
    UPDATE public.unique_only SET c = c || )sql" +
              i + R"sql( WHERE a = )sql" + i + R"sql( % 2000;
    UPDATE public.deferred SET b = ')sql" +
              i + R"sql(' WHERE a = )sql" + i + R"sql( % 500;
    UPDATE public.events SET body = body || '+' WHERE id = )sql" +
              i + R"sql( % 3000;
    DELETE FROM public.events WHERE id = )sql" +
              i + R"sql( * 7 % 3000;
    UPDATE public.parent SET name = name || ')sql" +
              i + R"sql(' WHERE id = )sql" + i + R"sql( % 100;
    COMMIT)sql");
}

}  // namespace verdigris::test
