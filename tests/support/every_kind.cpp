#include "tests/support/every_kind.hpp"

#include "replication/catalog.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {
namespace {

constexpr const char* kRoles = R"sql(
  DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tenant') THEN CREATE ROLE tenant; END IF;
  END $$;
  CREATE SCHEMA app AUTHORIZATION app_owner; GRANT USAGE ON SCHEMA app TO tenant;
  CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'ha''ppy'); ALTER TYPE app.mood ADD VALUE 'meh' BEFORE 'ok')sql";

constexpr const char* kExtensions = R"sql(
  CREATE EXTENSION hstore SCHEMA public; CREATE EXTENSION citext SCHEMA public; CREATE EXTENSION ltree SCHEMA public;
  CREATE EXTENSION cube SCHEMA public; CREATE EXTENSION isn SCHEMA public; CREATE EXTENSION btree_gist SCHEMA public;
  CREATE TABLE public.of_extensions (id public.citext PRIMARY KEY, h public.hstore, l public.ltree, q public.lquery,
    c public.cube, i public.isbn13, ha public.hstore[]);
  CREATE INDEX ON public.of_extensions USING gist (l);
  INSERT INTO public.of_extensions VALUES
    ('KeY', '"a"=>"1", "b"=>NULL', 'Top.Science', '*.Sci*{1,2}', '(1,2,3),(-0,NaN,5)', '978-0-393-04002-9', '{"a=>1","b=>2"}'),
    ('other', '', '', '*', '(0)', NULL, '{}'))sql";

// One column for each type that people can write, with its edges: infinities, -0, NaN, years before Christ, nothing.
constexpr const char* kBuiltIn = R"sql(
  CREATE TABLE public.built_in (id int PRIMARY KEY, b bool, ch "char", n name, i2 int2, i4 int4, i8 int8, f4 float4,
    f8 float8, num numeric, fixed numeric(20, 5), m money, t text, v varchar(40), bp char(8), by bytea, d date, ti time,
    tz timetz, ts timestamp, tstz timestamptz, ts0 timestamptz(0), iv interval, ivy interval year to month, u uuid,
    j json, jb jsonb, jp jsonpath, x xml, po point, li line, ls lseg, bx box, pa path, pg polygon, ci circle, ip inet,
    net cidr, mac macaddr, mac8 macaddr8, bi bit(5), vb varbit, tv tsvector, tq tsquery, r4 int4range, r8 int8range,
    rn numrange, rd daterange, rt tsrange, rtz tstzrange, o oid, xi xid, x8 xid8, ci4 cid, td tid, ls4 pg_lsn,
    sn pg_snapshot, tsn txid_snapshot, iv2 int2vector, ov oidvector, rc regclass, rt4 regtype, rp regproc,
    rpr regprocedure, ro regoperator, rol regrole, rns regnamespace, rcf regconfig, rdi regdictionary,
    rf refcursor, ai int[], at text[], an numeric[], af float8[], ad timestamptz[], ax xml[], am int[][]);
  INSERT INTO public.built_in SELECT 1;
  INSERT INTO public.built_in SELECT 2, true, 'x', 'na"me', -32768, -2147483648, -9223372036854775808, '-0', '-0',
    '-0.00', '-0.00001', '-92233720368547758.08', E'a\tb\\N\n\r"''', '', 'a', '\x00ff5c4e', '-infinity', '24:00',
    '23:59:59.999999-15:59', '-infinity', 'infinity', '0044-03-15 BC', '-178000000 years', '1 year -1 month',
    '00000000-0000-0000-0000-000000000000', '{"b": 1.0,  "a": null, "a": 2}', '{"b": 1.00}', '$.a[*] ? (@ > 1.50)',
    '<?xml version="1.0" encoding="ISO-8859-1"?><a>1</a>', '(-0,NaN)', '{1,-1,0}', '[(0,0),(1e-300,1)]', '(1,1),(0,0)',
    '[(0,0),(1,1)]', '((0,0),(1,1),(2,0))', '<(0,0),Infinity>', '::ffff:1.2.3.4/96', '10.0.0.0/8', '08:00:2b:01:02:03',
    '08:00:2b:01:02:03:04:05', B'10101', B'', '''it'':1A,3B fat', '', 'empty', '(,)', '[1.50,)', '(,infinity]',
    '["2000-01-01 BC",infinity)', '[,)', 4294967295, '4294967295', '18446744073709551615', '7', '(4294967295,65535)',
    'FFFFFFFF/FFFFFFFF', '10:20:10,14,15', '10:20:10,14,15', '1 -2', '1 4294967295', 'pg_class', 'int4', 'now',
    'lower(text)', '+(integer,integer)', 'pg_monitor', 'pg_catalog', 'simple', 'simple', 'cur',
    '[-1:1]={1,NULL,-3}', '{"a\"b",NULL,"NULL",""}', '{NaN,1.10,-0}', '{-0,NaN,Infinity,-Infinity,1e-307,0.1}',
    '{infinity,"0001-01-01 BC"}', ARRAY['<a/>']::xml[], '{{1,2},{3,4}}';
  INSERT INTO public.built_in (id, f4, f8, num, d, ts, iv, t, x, m, bp, ch)
    SELECT 3, 'NaN', 'Infinity', 'NaN', '5874897-12-31', '294276-12-31 23:59:59.999999',
           '-1 mon +2 days -00:00:00.000001', 'Grö' || chr(128512), 'text <b>and</b> &amp;', 12345.67, 'ß', '\351'
    WHERE current_setting('server_encoding') = 'UTF8';
  CREATE TABLE public.keyless_text (t text COLLATE "C", c char(4), z timestamptz, n numeric);
  INSERT INTO public.keyless_text VALUES ('a', 'a', 'infinity', 'NaN'), (NULL, NULL, NULL, NULL), ('', '', '0001-01-01 BC', 0.10))sql";

constexpr const char* kNewer = R"sql(
  CREATE TABLE public.newer (id int PRIMARY KEY, num numeric, mr int4multirange, mt tstzmultirange,
    gone int, comp text COMPRESSION pglz);
  INSERT INTO public.newer VALUES (1, 'Infinity', '{[1,3),[7,)}', '{}', 1, repeat('comp', 4000)),
    (2, '-Infinity', '{}', '{(,infinity)}', 2, NULL);
  ALTER TABLE public.newer DROP COLUMN gone)sql";

constexpr const char* kTypes = R"sql(
  CREATE DOMAIN app.positive AS numeric(10, 2) CHECK (VALUE > 0); CREATE DOMAIN app.price AS app.positive NOT NULL;
  CREATE TYPE app.inner AS (a int, m app.mood, "sel""ect" text[]);
  CREATE TYPE app.outer AS (i app.inner, l app.inner[]);
  CREATE TYPE app.moods AS RANGE (subtype = app.mood);
  CREATE COLLATION app.nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  CREATE TABLE app.of_types (id int PRIMARY KEY, m app.mood, p app.price, o app.outer, ms app.mood[], r app.moods,
    c text COLLATE app.nocase UNIQUE, rel regclass, ps app.positive[], acl aclitem[]);
  INSERT INTO app.of_types VALUES (1, 'meh', 1.5, ROW(ROW(1, 'sad', '{a,NULL,"b,c"}'), ARRAY[ROW(2, NULL, NULL)::app.inner]),
    '{sad,ha''ppy}', '[sad,ok]', 'Key', 'app.of_types', '{1,2.50}', '{app_owner=r*/app_owner}'),
    (2, NULL, 0.01, NULL, '{}', 'empty', 'other', NULL, NULL, NULL);
  CREATE TABLE app.typed OF app.inner (PRIMARY KEY (a), m DEFAULT 'ok');
  INSERT INTO app.typed VALUES (1, 'sad', '{x}'), (2, DEFAULT, NULL))sql";

constexpr const char* kColumns = R"sql(
  CREATE FUNCTION app.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
  CREATE TABLE app.always (id int GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5 CACHE 3) PRIMARY KEY, v text);
  CREATE TABLE app.by_default (id bigint GENERATED BY DEFAULT AS IDENTITY (MINVALUE -5 START -5 CYCLE MAXVALUE 1000) UNIQUE, v text);
  CREATE TABLE app.generated (a int PRIMARY KEY, b int GENERATED ALWAYS AS (app.twice(a)) STORED, late text DEFAULT 'd',
    c text GENERATED ALWAYS AS (upper(late)) STORED);
  CREATE TABLE app.only_generated (b int GENERATED ALWAYS AS (7) STORED);
  CREATE TABLE app.shifted (gone1 int, id serial PRIMARY KEY, gone2 text, v text NOT NULL DEFAULT 'x');
  ALTER TABLE app.shifted DROP COLUMN gone1, DROP COLUMN gone2, ADD COLUMN fast int DEFAULT 42;
  CREATE TABLE app.nothing (); CREATE TABLE app.lost_all (a int); INSERT INTO app.lost_all VALUES (1), (2);
  ALTER TABLE app.lost_all DROP COLUMN a;
  INSERT INTO app.always (v) SELECT 'a' || i FROM generate_series(1, 50) AS i;
  INSERT INTO app.by_default (v) SELECT 'b' || i FROM generate_series(1, 50) AS i;
  INSERT INTO app.generated (a) SELECT generate_series(1, 50);
  INSERT INTO app.only_generated SELECT FROM generate_series(1, 3);
  INSERT INTO app.shifted (v) SELECT 's' || i FROM generate_series(1, 50) AS i;
  INSERT INTO app.nothing SELECT FROM generate_series(1, 5);
  CREATE TABLE app.stored (id int PRIMARY KEY, e text, p text, x bytea) WITH (fillfactor = 70, toast_tuple_target = 256);
  ALTER TABLE app.stored ALTER e SET STORAGE EXTERNAL, ALTER p SET STORAGE PLAIN, ALTER x SET STORAGE MAIN,
    ALTER e SET STATISTICS 7, ALTER p SET (n_distinct = -0.5);
  INSERT INTO app.stored SELECT i, repeat(md5(i::text), 3000), md5(i::text), decode(repeat(md5(i::text), 500), 'hex')
    FROM generate_series(1, 20) AS i;
  DO $$ BEGIN
    EXECUTE 'CREATE TABLE app.widest (id int PRIMARY KEY, '
      || (SELECT string_agg('c' || i || CASE i % 3 WHEN 0 THEN ' int' WHEN 1 THEN ' bool' ELSE ' "char"' END, ', '
                            ORDER BY i) FROM generate_series(2, 1600) AS i) || ')';
    INSERT INTO app.widest (id, c2, c3, c4, c1600) VALUES (1, 'x', 3, true, true), (2, NULL, NULL, NULL, NULL);
  END $$)sql";

// Partitions of every kind, on several levels, one of them with its columns in another order; and inheritance.
constexpr const char* kTrees = R"sql(
  CREATE TABLE app.by_list (id int, region text, at date, v text, PRIMARY KEY (id, region, at))
    PARTITION BY LIST (region);
  CREATE TABLE app.by_list_eu PARTITION OF app.by_list FOR VALUES IN ('eu', NULL) PARTITION BY RANGE (at);
  CREATE TABLE app.by_list_eu_old PARTITION OF app.by_list_eu
    FOR VALUES FROM (MINVALUE) TO ('2020-01-01') PARTITION BY HASH (id);
  CREATE TABLE app.by_list_eu_old_0 PARTITION OF app.by_list_eu_old FOR VALUES WITH (MODULUS 3, REMAINDER 0);
  CREATE TABLE app.by_list_eu_old_1 PARTITION OF app.by_list_eu_old FOR VALUES WITH (MODULUS 3, REMAINDER 1);
  CREATE TABLE app.by_list_eu_old_2 PARTITION OF app.by_list_eu_old FOR VALUES WITH (MODULUS 3, REMAINDER 2);
  CREATE TABLE app.by_list_eu_new PARTITION OF app.by_list_eu DEFAULT;
  CREATE TABLE app.other_order (gone int, v text, at date NOT NULL, region text NOT NULL, id int NOT NULL);
  ALTER TABLE app.other_order DROP COLUMN gone;
  ALTER TABLE app.by_list ATTACH PARTITION app.other_order FOR VALUES IN ('us');
  CREATE TABLE app.by_list_rest PARTITION OF app.by_list DEFAULT;
  CREATE INDEX by_list_v ON app.by_list (lower(v));
  INSERT INTO app.by_list SELECT i, (ARRAY['eu', 'us', 'asia'])[1 + i % 3], date '2019-06-01' + i, 'v' || i
    FROM generate_series(1, 600) AS i;
  CREATE TABLE app.by_expression (n int, v text) PARTITION BY RANGE (abs(n), v);
  CREATE TABLE app.by_expression_1 PARTITION OF app.by_expression FOR VALUES FROM (MINVALUE, MINVALUE) TO (50, 'm');
  CREATE TABLE app.by_expression_2 PARTITION OF app.by_expression FOR VALUES FROM (50, 'm') TO (MAXVALUE, MAXVALUE);
  INSERT INTO app.by_expression SELECT i - 100, 'x' || i FROM generate_series(1, 200) AS i;
  CREATE TABLE app.mother (id int PRIMARY KEY, v text, CONSTRAINT own CHECK (id > 0) NO INHERIT);
  CREATE TABLE app.father (w int NOT NULL DEFAULT 3);
  CREATE TABLE app.child (v text DEFAULT 'c', extra int) INHERITS (app.mother, app.father);
  CREATE TABLE app.grandchild () INHERITS (app.child);
  INSERT INTO app.mother SELECT i, 'm' FROM generate_series(1, 20) AS i; INSERT INTO app.father VALUES (1), (2);
  INSERT INTO app.child (id, extra) SELECT i, i FROM generate_series(1, 20) AS i;
  INSERT INTO app.grandchild (id) SELECT generate_series(1, 20))sql";

constexpr const char* kConstraints = R"sql(
  CREATE TABLE app.nodes (id int PRIMARY KEY, parent int REFERENCES app.nodes
    DEFERRABLE INITIALLY DEFERRED, region text, lid int, at date,
    during daterange, room int, EXCLUDE USING gist (room WITH =, during WITH &&),
    FOREIGN KEY (lid, region, at) REFERENCES app.by_list ON DELETE SET NULL);
  CREATE UNIQUE INDEX nodes_partial ON app.nodes (room) WHERE id = 1;
  INSERT INTO app.nodes SELECT i, nullif(i - 1, 0), NULL, NULL, NULL, daterange(date '2020-01-01' + i, date '2020-01-02' + i), 1
    FROM generate_series(1, 50) AS i;
  CREATE TABLE app.orphans (id int PRIMARY KEY, node int, v int);
  INSERT INTO app.orphans VALUES (1, 999, -1), (2, 1, 1);
  ALTER TABLE app.orphans ADD CONSTRAINT has_node FOREIGN KEY (node) REFERENCES app.nodes NOT VALID,
    ADD CONSTRAINT positive CHECK (v > 0) NOT VALID;
  CREATE TABLE app.ring (id int PRIMARY KEY, other int);
  CREATE TABLE app.ring2 (id int PRIMARY KEY, other int REFERENCES app.ring);
  ALTER TABLE app.ring ADD FOREIGN KEY (other) REFERENCES app.ring2;
  INSERT INTO app.ring VALUES (1, NULL); INSERT INTO app.ring2 VALUES (1, 1); UPDATE app.ring SET other = 1;
  CREATE STATISTICS app.nodes_stat (dependencies) ON id, room FROM app.nodes;
  COMMENT ON TABLE app.nodes IS 'no;des'; COMMENT ON COLUMN app.nodes.room IS 'room''s')sql";

// Row security that its owner obeys, too; views over it see what their owner may.
constexpr const char* kSecurity = R"sql(
  CREATE TABLE app.secrets (id int PRIMARY KEY, who text, v text); ALTER TABLE app.secrets OWNER TO app_owner;
  ALTER TABLE app.secrets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
  CREATE POLICY mine ON app.secrets FOR SELECT TO app_owner, tenant USING (who = current_user);
  CREATE POLICY strict ON app.secrets AS RESTRICTIVE FOR UPDATE USING (v <> 'locked') WITH CHECK (true);
  INSERT INTO app.secrets SELECT i, (ARRAY['app_owner', 'tenant'])[1 + i % 2], 'v' || i FROM generate_series(1, 100) AS i;
  CREATE TABLE app.revoked (id int PRIMARY KEY, v text); ALTER TABLE app.revoked OWNER TO tenant;
  REVOKE ALL ON app.revoked FROM tenant; GRANT SELECT (id), UPDATE (v) ON app.revoked TO app;
  INSERT INTO app.revoked VALUES (1, 'r'), (2, 's');
  ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO tenant)sql";

// Made in an order that is not the one in which they can be filled.
constexpr const char* kViews = R"sql(
  CREATE VIEW app.a_view AS SELECT id, v FROM app.shifted;
  CREATE MATERIALIZED VIEW app.m3_base AS SELECT id, v FROM app.a_view;
  CREATE VIEW app.over_m3 AS SELECT * FROM app.m3_base;
  CREATE MATERIALIZED VIEW app.m2_middle AS SELECT count(*) AS n FROM app.over_m3;
  CREATE MATERIALIZED VIEW app.m1_top AS SELECT n + 1 AS n FROM app.m2_middle;
  CREATE UNIQUE INDEX m3_id ON app.m3_base (id);
  CREATE MATERIALIZED VIEW app.m0_empty AS SELECT id FROM app.shifted WHERE false;
  CREATE MATERIALIZED VIEW app.m_never AS SELECT 1 AS one WITH NO DATA;
  CREATE MATERIALIZED VIEW app.m_emptied AS SELECT id FROM app.always;
  CREATE MATERIALIZED VIEW app.m_over AS SELECT count(*) AS n FROM app.m_emptied;
  REFRESH MATERIALIZED VIEW app.m_emptied WITH NO DATA;
  CREATE MATERIALIZED VIEW app.m_secret AS SELECT id FROM app.secrets;
  ALTER MATERIALIZED VIEW app.m_secret OWNER TO app_owner;
  SET row_security = on; SET ROLE app_owner; REFRESH MATERIALIZED VIEW app.m_secret; RESET ROLE)sql";

// In every state; what fires says so.
constexpr const char* kTriggers = R"sql(
  CREATE TABLE public.fired (what text);
  CREATE FUNCTION app.says() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
    BEGIN INSERT INTO public.fired VALUES (TG_ARGV[0] || ' ' || TG_OP); RETURN NEW; END $$;
  CREATE TABLE app.triggered (id int PRIMARY KEY, v text);
  CREATE TRIGGER t_origin BEFORE INSERT OR UPDATE ON app.triggered FOR EACH ROW EXECUTE FUNCTION app.says('origin');
  CREATE TRIGGER t_statement AFTER INSERT OR UPDATE OR TRUNCATE ON app.triggered
    FOR EACH STATEMENT EXECUTE FUNCTION app.says('statement');
  CREATE TRIGGER t_disabled BEFORE INSERT ON app.triggered FOR EACH ROW EXECUTE FUNCTION app.says('disabled');
  CREATE TRIGGER t_replica AFTER INSERT ON app.triggered FOR EACH ROW EXECUTE FUNCTION app.says('replica');
  CREATE TRIGGER t_always AFTER INSERT ON app.triggered
    FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION app.says('always');
  CREATE CONSTRAINT TRIGGER t_constraint AFTER INSERT ON app.triggered DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION app.says('constraint');
  ALTER TABLE app.triggered DISABLE TRIGGER t_disabled, ENABLE REPLICA TRIGGER t_replica, ENABLE ALWAYS TRIGGER t_always;
  CREATE TRIGGER t_tree AFTER INSERT ON app.by_list FOR EACH ROW EXECUTE FUNCTION app.says('tree');
  CREATE TABLE app.ruled (id int PRIMARY KEY, v text);
  CREATE RULE r_also AS ON INSERT TO app.ruled DO ALSO INSERT INTO public.fired VALUES ('rule ' || NEW.v);
  CREATE RULE r_never AS ON DELETE TO app.ruled WHERE OLD.id < 0 DO INSTEAD NOTHING;
  CREATE RULE r_replica AS ON UPDATE TO app.ruled DO ALSO INSERT INTO public.fired VALUES ('replica rule');
  CREATE RULE r_off AS ON UPDATE TO app.ruled DO ALSO INSERT INTO public.fired VALUES ('disabled rule');
  ALTER TABLE app.ruled ENABLE REPLICA RULE r_replica, DISABLE RULE r_off;
  INSERT INTO app.triggered SELECT i, 't' FROM generate_series(1, 20) AS i;
  INSERT INTO app.ruled SELECT i, 'r' FROM generate_series(1, 20) AS i;
  CREATE FUNCTION app.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('server_version_num')::int >= 170000 THEN RAISE EXCEPTION 'no DDL here'; END IF; END $$;
  CREATE EVENT TRIGGER e_ordinary ON ddl_command_end EXECUTE FUNCTION app.on_ddl();
  CREATE EVENT TRIGGER e_always ON ddl_command_start EXECUTE FUNCTION app.on_ddl();
  ALTER EVENT TRIGGER e_always ENABLE ALWAYS)sql";

// What logical replication does not carry, and what lives elsewhere.
constexpr const char* kNotCarried = R"sql(
  CREATE UNLOGGED TABLE app.scratch (id serial PRIMARY KEY, v text);
  INSERT INTO app.scratch (v) VALUES ('lost'), ('too');
  CREATE TABLE app.mixed (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
  CREATE TABLE app.mixed_kept PARTITION OF app.mixed FOR VALUES FROM (1) TO (100);
  CREATE UNLOGGED TABLE app.mixed_lost PARTITION OF app.mixed FOR VALUES FROM (100) TO (200);
  INSERT INTO app.mixed VALUES (1, 'kept'), (100, 'lost');
  SELECT lo_from_bytea(0, 'large');
  CREATE EXTENSION postgres_fdw;
  CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nowhere', dbname 'far');
  CREATE USER MAPPING FOR app_owner SERVER far OPTIONS (user 'u', password 'p''w');
  CREATE FOREIGN TABLE app.far_away (id int OPTIONS (column_name 'key'), v text) SERVER far
    OPTIONS (table_name 'elsewhere'))sql";

constexpr const char* kFacts = R"sql(
  WITH schemas AS (SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('app', 'public')),
  relations AS (
    SELECT c.*, s.nspname || '.' || c.relname AS name FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace),
  owned AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
  facts(fact) AS (
    SELECT concat_ws(' ', 'relation', name, relkind, relpersistence, relreplident, reloptions, relrowsecurity,
                     relforcerowsecurity, relispopulated, pg_get_userbyid(relowner), pg_get_expr(relpartbound, oid),
                     pg_get_partkeydef(oid), replace(relacl::text, 'm/', '/'), obj_description(oid, 'pg_class'),
                     'under ' || (SELECT string_agg(i.inhparent::regclass::text, ',' ORDER BY i.inhseqno)
                                  FROM pg_inherits i WHERE i.inhrelid = r.oid))
    FROM relations r WHERE relkind <> 'I' AND relkind <> 'i'
    UNION ALL
    SELECT concat_ws(' ', 'column', r.name, count(*) OVER (PARTITION BY r.oid ORDER BY a.attnum), a.attname,
                     format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, a.attstorage,
                     pg_get_expr(d.adbin, d.adrelid), nullif(a.attstattarget, -1), a.attoptions, a.attfdwoptions,
                     a.attislocal, a.attinhcount, a.attacl, col_description(r.oid, a.attnum),
                     (SELECT collname FROM pg_collation WHERE oid = a.attcollation))
    FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum WHERE r.relkind IN ('r', 'p', 'f', 'v', 'm', 'c')
    UNION ALL
    SELECT concat_ws(' ', 'constraint', k.conrelid::regclass, k.contypid::regtype, k.conname, pg_get_constraintdef(k.oid),
                     k.convalidated)
    FROM pg_constraint k JOIN schemas s ON s.oid = k.connamespace WHERE k.contype <> 'n'
    UNION ALL
    SELECT concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisreplident)
    FROM pg_index i JOIN relations r ON r.oid = i.indrelid
    UNION ALL
    SELECT concat_ws(' ', t.tgrelid::regclass, pg_get_triggerdef(t.oid), 'enabled', t.tgenabled)
    FROM pg_trigger t WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgname <> 'verdigris_fence'
    UNION ALL
    SELECT concat_ws(' ', pg_get_ruledef(w.oid), 'enabled', w.ev_enabled)
    FROM pg_rewrite w JOIN relations r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
    UNION ALL
    SELECT concat_ws(' ', 'view', name, regexp_replace(pg_get_viewdef(oid), '\w+\.', '', 'g'))
    FROM relations WHERE relkind IN ('v', 'm')
    UNION ALL
    SELECT concat_ws(' ', 'policy', polname, polrelid::regclass, polcmd, polpermissive, polroles::regrole[],
                     pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_policy
    UNION ALL
    SELECT concat_ws(' ', 'type', s.nspname, t.typname, t.typtype, t.typbasetype::regtype, t.typnotnull, t.typdefault,
                     (SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_enum e
                       WHERE e.enumtypid = t.oid))
    FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace
    WHERE t.typtype NOT IN ('b', 'm') AND t.typrelid NOT IN (SELECT oid FROM relations WHERE relkind = 'S')
    UNION ALL
    SELECT concat_ws(' ', 'function', p.oid::regprocedure, p.prosecdef, p.provolatile, p.proconfig, p.prosrc)
    FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace

    WHERE (1255, p.oid) NOT IN (SELECT classid, objid FROM owned) AND p.prosrc !~ '^multirange_constructor'
    UNION ALL
    SELECT concat_ws(' ', 'sequence', q.seqrelid::regclass, q.seqtypid::regtype, q.seqstart, q.seqincrement, q.seqmin,
                     q.seqmax, q.seqcycle, q.seqcache,
                     (SELECT d.refobjid::regclass || '.' || d.refobjsubid::bool || d.deptype::text FROM pg_depend d
                      WHERE d.classid = 1259 AND d.objid = q.seqrelid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0))
    FROM pg_sequence q JOIN relations r ON r.oid = q.seqrelid
    UNION ALL SELECT 'extension ' || extname FROM pg_extension
    UNION ALL SELECT concat_ws(' ', 'server', srvname, (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(srvoptions) AS o)) FROM pg_foreign_server
    UNION ALL SELECT concat_ws(' ', 'foreign table', ftrelid::regclass, ftoptions) FROM pg_foreign_table
    UNION ALL SELECT concat_ws(' ', 'mapping', usename, srvname, (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(umoptions) AS o)) FROM pg_user_mappings
    UNION ALL SELECT concat_ws(' ', 'collation', collname, collprovider, collisdeterministic)
              FROM pg_collation JOIN schemas s ON s.oid = collnamespace
    UNION ALL SELECT concat_ws(' ', pg_get_statisticsobjdef(oid)) FROM pg_statistic_ext
    UNION ALL SELECT concat_ws(' ', 'event trigger', evtname, evtevent, evtfoid::regproc, evtenabled) FROM pg_event_trigger
    UNION ALL SELECT concat_ws(' ', 'defaults', defaclnamespace::regnamespace, defaclobjtype, defaclacl) FROM pg_default_acl)
  SELECT string_agg(fact, E'\n' ORDER BY fact COLLATE "C") FROM facts)sql";

}  // namespace

void create_every_kind(Connection& on) {
  run(on, "SET client_min_messages = warning");
  for (const char* part : {kRoles, kExtensions, kBuiltIn, kTypes, kColumns, kTrees, kConstraints, kSecurity, kViews,
                           kTriggers, kNotCarried})
    run(on, part);
  if (on.major() >= 14) run(on, kNewer);
}

void write_every_kind(Connection& on) {
  run(on, R"sql(
    INSERT INTO public.of_extensions VALUES ('third', 'c=>3', 'a.b', 'a.*', '(9)', '9780393040029', NULL);
    UPDATE public.of_extensions SET h = h OPERATOR(public.||) 'z=>26'::public.hstore, c = '(-0,1)'
      WHERE id OPERATOR(public.=) 'KEY';
    DELETE FROM public.of_extensions WHERE id OPERATOR(public.=) 'OTHER';
    CREATE TEMPORARY TABLE again AS SELECT * FROM public.built_in WHERE id > 1; UPDATE again SET id = id + 10;
    INSERT INTO public.built_in SELECT * FROM again; DROP TABLE again;
    UPDATE public.built_in SET f8 = -f8, num = 'NaN', t = t || '!' WHERE id = 2;
    DELETE FROM public.built_in WHERE id = 1;
    INSERT INTO public.keyless_text VALUES ('n', 'n', '-infinity', -0.0); UPDATE public.keyless_text SET t = t || 'u';
    DELETE FROM public.keyless_text WHERE t IS NULL;
    INSERT INTO app.of_types SELECT id + 10, m, p, o, ms, r, c || id, rel, ps, acl FROM app.of_types;
    UPDATE app.of_types SET m = 'ok', o.i.a = 77 WHERE id = 1; DELETE FROM app.of_types WHERE id = 2;
    INSERT INTO app.typed VALUES (3, 'meh', '{}'); UPDATE app.typed SET m = NULL WHERE a = 1;
    DELETE FROM app.typed WHERE a = 2;
    INSERT INTO app.always (v) VALUES ('w'); UPDATE app.always SET v = 'u' WHERE id = 10;
    DELETE FROM app.always WHERE id = 15;
    INSERT INTO app.by_default (v) VALUES ('w'); UPDATE app.by_default SET v = 'u' WHERE id = 3;
    DELETE FROM app.by_default WHERE id = 4;
    INSERT INTO app.generated (a) VALUES (1000); UPDATE app.generated SET late = 'changed', a = 2000 WHERE a = 1;
    DELETE FROM app.generated WHERE a = 2;
    INSERT INTO app.only_generated DEFAULT VALUES;
    INSERT INTO app.shifted (v) VALUES ('w'); UPDATE app.shifted SET fast = 1 WHERE id = 1;
    DELETE FROM app.shifted WHERE id = 2;
    INSERT INTO app.nothing DEFAULT VALUES; INSERT INTO app.lost_all DEFAULT VALUES;
    INSERT INTO app.stored SELECT id + 100, e, p, x FROM app.stored;
    UPDATE app.stored SET p = 'toast is not sent' WHERE id < 10;
    UPDATE app.stored SET x = NULL WHERE id = 11; DELETE FROM app.stored WHERE id = 12;
    INSERT INTO app.widest (id, c1599) VALUES (3, 1599); UPDATE app.widest SET c1600 = NOT c1600, c999 = 9;
    DELETE FROM app.widest WHERE id = 2;
    INSERT INTO app.by_list VALUES (1000, 'us', '2025-01-01', 'w'), (1001, 'asia', '2025-01-01', 'w');
    UPDATE app.by_list SET region = 'us' WHERE region = 'eu' AND id % 7 = 0;
    UPDATE app.by_list SET at = '2019-01-01' WHERE id % 10 = 2;
    DELETE FROM app.by_list WHERE id % 11 = 0;
    INSERT INTO app.by_expression VALUES (-7, 'zz'); UPDATE app.by_expression SET n = n * 2;
    DELETE FROM app.by_expression WHERE n % 5 = 0;
    INSERT INTO app.grandchild (id, w) VALUES (100, 1); UPDATE app.mother SET v = v || 'u' WHERE id < 5;
    DELETE FROM app.mother WHERE id = 6;
    UPDATE app.father SET w = w + 1; DELETE FROM ONLY app.father WHERE w = 2;
    INSERT INTO app.nodes (id, parent) VALUES (501, 502), (502, NULL);
    UPDATE app.nodes SET lid = 1000, region = 'us', at = '2025-01-01' WHERE id = 1; DELETE FROM app.nodes WHERE id = 50;
    UPDATE app.orphans SET v = 5, node = 1 WHERE id = 2; DELETE FROM app.orphans WHERE id = 1;
    UPDATE app.ring SET other = NULL; DELETE FROM app.ring2;
    INSERT INTO app.secrets VALUES (1000, 'tenant', 'w'); UPDATE app.secrets SET v = 'locked' WHERE id = 1;
    DELETE FROM app.secrets WHERE id = 2;
    INSERT INTO app.revoked VALUES (3, 't'); UPDATE app.revoked SET v = 'u' WHERE id = 1;
    DELETE FROM app.revoked WHERE id = 2;
    INSERT INTO app.triggered VALUES (100, 'w'); UPDATE app.triggered SET v = 'u' WHERE id = 1;
    DELETE FROM app.triggered WHERE id = 2;
    INSERT INTO app.mixed VALUES (2, 'kept'), (101, 'lost'); UPDATE app.mixed SET id = id + 150 WHERE id = 1;
    INSERT INTO app.ruled VALUES (100, 'w'); UPDATE app.ruled SET v = 'u' WHERE id = 1;
    DELETE FROM app.ruled WHERE id = 2)sql");
  if (on.major() >= 14)
    run(on, R"sql(
      INSERT INTO public.newer SELECT id + 10, num, mr, mt, comp FROM public.newer;
      UPDATE public.newer SET num = -num WHERE id = 1; DELETE FROM public.newer WHERE id = 2)sql");
}

std::string rows_of_every_kind(Connection& on) {
  std::string text;
  for (const Table& table : user_tables(on, soon())) {
    const auto name = table.name.display();
    if (table.is_partitioned || table.is_unlogged || name == "public.fired") continue;
    const bool has_fixed_types = name == "public.built_in" || name == "public.keyless_text" || name == "app.widest";
    const Sql row = has_fixed_types ? Sql("whole::text || md5(record_send(whole))") : Sql("whole::text");
    const Result answer = on.query(Sql(R"(SELECT count(*) || ' ' || md5(coalesce(string_agg(r, '|' ORDER BY r COLLATE "C"), ''))
                                          FROM (SELECT {} AS r FROM ONLY {} AS whole) AS rows)",
                                       row, table.name),
                                   soon());
    text += name + " " + answer.one_row(1).text(0) + "\n";
  }
  return text + value(on, R"(
    SELECT string_agg(c.oid::regclass || ' ' || CASE
      WHEN relispopulated THEN query_to_xml('TABLE ' || c.oid::regclass, true, true, '')::text
                                                ELSE 'is not filled' END, E'\n' ORDER BY relname)
    FROM pg_class c WHERE relkind = 'm')");
}

std::string facts_of_every_kind(Connection& on) { return value(on, kFacts); }

}  // namespace verdigris::test
