// Types, names and sequences that a move between majors may trip over.
#include "controller/sandbox/dataset.hpp"

namespace verdigris {
namespace {

std::vector<TableSpec> named_tables() {
  return {
      {"\"user\"", 1, 39, 5, R"(
CREATE TABLE public."user" ("order" int PRIMARY KEY, "group" text, "Mixed Case" boolean))",
       R"(
INSERT INTO public."user" SELECT i, 'g' || i % 10, i % 2 = 0 FROM generate_series($1::bigint, $2) i)",
       ""},
      {"\"Sel\"\"ect\"", 1, 63, 5, R"(
CREATE TABLE public."Sel""ect" ("fr""om" bigserial PRIMARY KEY, "semi;colon" text, "straße" text))",
       R"(
INSERT INTO public."Sel""ect" SELECT i, E'back\\slash\ttab', 'ß' || i FROM generate_series($1::bigint, $2) i)",
       R"(
SELECT setval(pg_get_serial_sequence('public."Sel""ect"', 'fr"om'), coalesce((SELECT max("fr""om") FROM public."Sel""ect"), 1)))"},
      {"billing.\"Ledger 2024\"", 1, 55, 5, R"(
CREATE TABLE billing."Ledger 2024" ("Id" int PRIMARY KEY, "Account" char(8) NOT NULL, amount money))",
       R"(
INSERT INTO billing."Ledger 2024" SELECT i, 'A' || i % 100, (i % 1000)::int::money FROM generate_series($1::bigint, $2) i)",
       ""},
      {"translations", 1, 57, 10, R"(
CREATE TABLE public.translations (language char(5), key text, value text, shown varchar(30), PRIMARY KEY (language, key)))",
       R"(
INSERT INTO public.translations
SELECT (ARRAY['de', 'en_GB', 'el', 'ja'])[i % 4 + 1], 'k' || i, CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN ' x ' ELSE 'ναι ' || i END,
       CASE i % 3 WHEN 0 THEN 'é' WHEN 1 THEN 'e' || U&'\0301' ELSE 'line' || chr(10) || 'break' END FROM generate_series($1::bigint, $2) i)",
       ""},
  };
}

std::vector<TableSpec> counted_tables() {
  return {
      {"countdown", 1, 46, 3, R"(
CREATE TABLE public.countdown (id bigint PRIMARY KEY DEFAULT nextval('public.countdown_seq'), left_over int))",
       "INSERT INTO public.countdown (left_over) SELECT i FROM generate_series($1::bigint, $2) i",
       "ALTER SEQUENCE public.countdown_seq OWNED BY public.countdown.id"},
      {"batches", 1, 47, 3, R"(
CREATE TABLE public.batches (id bigint PRIMARY KEY DEFAULT nextval('public.batch_seq'), started time(3) NOT NULL))",
       R"(
INSERT INTO public.batches (started) SELECT time '00:00' + i * interval '1.001 seconds' FROM generate_series($1::bigint, $2) i)",
       ""},
      {"tickets", 1, 47, 3, R"(
CREATE TABLE public.tickets (
  id serial PRIMARY KEY, desk smallint NOT NULL DEFAULT nextval('public.desk_seq'), taken timestamptz(0) DEFAULT '2024-05-05 05:05+00'))",
       "INSERT INTO public.tickets (id) SELECT i FROM generate_series($1::bigint, $2) i",
       "SELECT setval('public.tickets_id_seq', coalesce((SELECT max(id) FROM public.tickets), 1))"},
      {"shelves", 1, 44, 3, R"(
CREATE TABLE public.shelves (
  id smallint GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 5) PRIMARY KEY, label text COLLATE "C" NOT NULL UNIQUE))",
       "INSERT INTO public.shelves (label) SELECT 'S' || i FROM generate_series($1::bigint, least($2, 6000)) i", ""},
  };
}

std::vector<TableSpec> exact_types() {
  return {
      {"measurements", 1, 63, 30, R"(
CREATE TABLE public.measurements (id int PRIMARY KEY, value float8, coarse real, exact numeric))",
       R"(
INSERT INTO public.measurements
SELECT i, CASE i % 7 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' WHEN 2 THEN 'Infinity' WHEN 3 THEN '-Infinity' ELSE i::float8 / 3 END,
       CASE i % 5 WHEN 0 THEN 'NaN' WHEN 1 THEN 1e-30::real ELSE (i * 0.1)::real END,
       CASE i % 6 WHEN 0 THEN 'NaN' WHEN 1 THEN 1.50 WHEN 2 THEN 1.5000 ELSE i * 1e12 / 7 END
FROM generate_series($1::bigint, $2) i)",
       ""},
      {"schedules", 1, 122, 10, R"(
CREATE TABLE public.schedules (
  id int PRIMARY KEY, day date, starts time, zoned timetz, lasts interval, during tstzrange, slots int4range, seen timestamp))",
       R"(
INSERT INTO public.schedules
SELECT i, CASE i % 10 WHEN 0 THEN 'infinity'::date WHEN 1 THEN date '0044-03-15 BC' ELSE date '2024-02-29' + (i % 100)::int END,
       time '23:59:59.999999', timetz '12:00+05:30', i * interval '1 month -1 day 00:00:01',
       tstzrange(timestamptz '2024-01-01 00:00+00', CASE WHEN i % 4 > 0 THEN timestamptz '2024-02-01 00:00+00' + i * interval '1 hour' END),
       CASE i % 3 WHEN 0 THEN 'empty'::int4range ELSE int4range(i::int, i::int + 10, '[]') END, timestamp '1999-12-31 23:59:59'
FROM generate_series($1::bigint, $2) i)",
       ""},
      {"reservations", 1, 103, 10, R"(
CREATE TABLE public.reservations (id uuid PRIMARY KEY, stay daterange, seats int8range, price numrange))",
       R"(
INSERT INTO public.reservations
SELECT md5('r' || i)::uuid, daterange(date '2024-01-01' + (i % 365)::int, NULL), int8range(i, i + 2), numrange(1.0, 1.5 + i)
FROM generate_series($1::bigint, $2) i)",
       "CREATE INDEX ON public.reservations USING gist (stay)"},
      {"flags", 1, 52, 5, R"(
CREATE TABLE public.flags (id int PRIMARY KEY, mask bit(12), loose bit varying(40), is_on boolean, kind "char"))",
       R"(
INSERT INTO public.flags SELECT i, (i % 4096)::int::bit(12), CASE WHEN i % 5 > 0 THEN B'1011' END, CASE i % 3 WHEN 0 THEN NULL ELSE i % 3 = 1 END, 'x'
FROM generate_series($1::bigint, $2) i)",
       ""},
  };
}

std::vector<TableSpec> wide_types() {
  return {
      {"devices", 1, 157, 10, R"(
CREATE TABLE public.devices (
  id int PRIMARY KEY, address inet, network cidr, hardware macaddr, wide macaddr8, seen inet[], place public.geo_point))",
       R"(
INSERT INTO public.devices
SELECT i, CASE WHEN i % 2 = 0 THEN inet '10.0.0.0/8' + i ELSE inet '2001:db8::' + i END, cidr '192.168.0.0/16',
       ('08:00:2b:' || lpad(to_hex(i % 256), 2, '0') || ':02:03')::macaddr, macaddr8 '08:00:2b:01:02:03:04:05',
       ARRAY[inet '127.0.0.1', NULL], ROW(i / 90.0, -i / 180.0)::public.geo_point FROM generate_series($1::bigint, $2) i)",
       ""},
      {"matrices", 1, 208, 10, R"(
CREATE TABLE public.matrices (id int PRIMARY KEY, cells int[], names text[], odd int[], statuses public.customer_status[]))",
       R"(
INSERT INTO public.matrices
SELECT i, ARRAY[[i, 2], [3, NULL]], ARRAY['a,b', 'NULL', '{}', NULL, ''], ('[-1:1]={1,2,' || i || '}')::int[], '{new,"on hold"}'
FROM generate_series($1::bigint, $2) i)",
       ""},
      {"documents", 1, 3629, 100, R"(
CREATE TABLE public.documents (id bigint PRIMARY KEY, title text NOT NULL, body text, content bytea, data json);
ALTER TABLE public.documents ALTER content SET STORAGE EXTERNAL, ALTER body SET STORAGE EXTERNAL)",
       R"(
INSERT INTO public.documents
SELECT i, 'Document ' || i, repeat(md5(i::text) || 'ÄÖ', 30 + (i % 60)::int),
       CASE WHEN i % 3 > 0 THEN decode(repeat(md5(i::text), 60 + (i % 80)::int), 'hex') END, '{"b": 1, "a":  [1,2], "b": 2}'
FROM generate_series($1::bigint, $2) i)",
       ""},
      {"sessions", 1, 83, 20, R"(
CREATE TABLE public.sessions (token bytea PRIMARY KEY, customer bigint, opened timestamptz NOT NULL, peer inet, data jsonb))",
       R"(
INSERT INTO public.sessions
SELECT decode(md5(i::text), 'hex'), i, timestamptz '2024-10-27 00:30+00' + i * interval '1 second', inet '10.1.0.0' + i, CASE i % 3 WHEN 0 THEN 'null'::jsonb WHEN 1 THEN NULL ELSE '{}' END
FROM generate_series($1::bigint, $2) i)",
       "CREATE INDEX ON public.sessions (opened DESC) WHERE customer IS NOT NULL"},
  };
}

}  // namespace

std::vector<TableSpec> typed_tables() {
  std::vector<TableSpec> result;
  for (auto&& group : {named_tables(), counted_tables(), exact_types(), wide_types()})
    result.insert(result.end(), group.begin(), group.end());
  return result;
}

}  // namespace verdigris
