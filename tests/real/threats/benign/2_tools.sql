-- DBeaver

SELECT current_database(), current_schema(), session_user

SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE db.datname = current_database()

SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass ORDER BY nspname

SELECT c.oid, c.relname, c.relkind, d.description, pg_get_partkeydef(c.oid) AS partition_key FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass WHERE c.relnamespace = 'public'::regnamespace AND c.relkind NOT IN ('i', 'I', 'c')

SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum) LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid) WHERE NOT a.attisdropped AND c.oid = 'products'::regclass ORDER BY a.attnum

SELECT c.oid, c.*, t.relname AS tabrelname, rt.relnamespace AS refnamespace, d.description, NULL AS consrc_copy FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_constraint'::regclass WHERE c.conrelid = 'sales'::regclass

SELECT i.*, i.indkey AS keys, c.relname, c.relnamespace, c.relam, pg_catalog.pg_get_indexdef(i.indexrelid) AS definition FROM pg_catalog.pg_index i INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 'sales'::regclass

SELECT p.oid, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid), l.lanname FROM pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_language l ON l.oid = p.prolang WHERE p.pronamespace = 'public'::regnamespace ORDER BY p.proname

SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base_type_name FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') ORDER BY t.oid

SELECT pg_catalog.pg_get_viewdef('sales_by_month'::regclass, true)

SHOW search_path

SHOW server_version_num

SELECT string_agg(word, ',') FROM pg_catalog.pg_get_keywords() WHERE word NOT IN ('select', 'from')

SELECT x.* FROM public.products x LIMIT 200

SELECT count(*) FROM public.products x

SELECT x.* FROM public.people x WHERE name = 'person 3' ORDER BY id LIMIT 200

SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY

SET extra_float_digits = 3

SET application_name = 'DBeaver 24.1 - SQLEditor <Script.sql>'

-- pgAdmin

SELECT db.oid AS did, db.datname, db.datallowconn, pg_encoding_to_char(db.encoding) AS serverencoding, has_database_privilege(db.oid, 'CREATE') AS cancreate, datistemplate FROM pg_catalog.pg_database db WHERE db.datname = current_database()

SELECT roles.oid AS id, roles.rolname AS name, roles.rolsuper AS is_superuser, CASE WHEN roles.rolsuper THEN true ELSE roles.rolcreaterole END AS can_create_role FROM pg_catalog.pg_roles AS roles WHERE rolname = current_user

SELECT usename FROM pg_catalog.pg_user WHERE usesysid = 10

SELECT nsp.oid, nsp.nspname AS name, pg_catalog.has_schema_privilege(nsp.oid, 'CREATE') AS can_create, pg_catalog.has_schema_privilege(nsp.oid, 'USAGE') AS has_usage FROM pg_catalog.pg_namespace nsp WHERE nspname NOT LIKE 'pg!_%' ESCAPE '!' AND NOT ((nsp.nspname = 'information_schema' AND EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relname = 'tables' AND relnamespace = nsp.oid LIMIT 1))) ORDER BY nspname

SELECT rel.oid, rel.relname AS name, (SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = rel.oid AND tgisinternal = FALSE) AS triggercount, (SELECT count(1) FROM pg_catalog.pg_inherits WHERE inhrelid = rel.oid LIMIT 1) AS is_inherits FROM pg_catalog.pg_class rel WHERE rel.relkind IN ('r', 's', 't', 'p') AND rel.relnamespace = 'public'::regnamespace AND NOT rel.relispartition ORDER BY rel.relname

SELECT att.attname AS name, att.attnum, att.atttypid, att.atttypmod, format_type(ty.oid, att.atttypmod) AS displaytypname, CASE WHEN length(coll.collname::text) > 0 THEN pg_catalog.quote_ident(coll.collname) ELSE '' END AS collspcname FROM pg_catalog.pg_attribute att JOIN pg_catalog.pg_type ty ON ty.oid = atttypid LEFT OUTER JOIN pg_catalog.pg_collation coll ON att.attcollation = coll.oid WHERE att.attrelid = 'sales'::regclass::oid AND att.attnum > 0 AND att.attisdropped IS FALSE ORDER BY att.attnum

SELECT pid, datname, usename, application_name, client_addr, backend_start, state, wait_event, pg_catalog.pg_blocking_pids(pid) AS blocking_pids FROM pg_catalog.pg_stat_activity WHERE datname = current_database() ORDER BY pid

SELECT gss_authenticated, encrypted FROM pg_catalog.pg_stat_gssapi WHERE pid = pg_backend_pid()

SELECT pg_catalog.pg_is_in_recovery() AS inrecovery, CASE WHEN pg_catalog.pg_is_in_recovery() THEN true ELSE false END AS isreplaypaused

SET DateStyle=ISO

SET client_min_messages=notice

SELECT set_config('bytea_output', 'hex', false) FROM pg_show_all_settings() WHERE name = 'bytea_output'

SET client_encoding='utf-8'

SELECT oid, pg_catalog.format_type(oid, NULL) AS typname FROM pg_catalog.pg_type WHERE oid = ANY (ARRAY[23, 25, 1700]) ORDER BY oid

SELECT e.oid, e.extname, e.extversion, n.nspname FROM pg_catalog.pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace

SELECT name, setting, unit, short_desc FROM pg_catalog.pg_settings WHERE name IN ('work_mem', 'max_connections') ORDER BY name

-- DataGrip and pgjdbc

select current_database() as a, current_schemas(false) as b

select n.nspname, c.relname, c.relkind from pg_catalog.pg_namespace n, pg_catalog.pg_class c where c.relnamespace = n.oid and n.nspname like 'public' and c.relname like 'prod%' and (c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema') order by 1, 2

SELECT * FROM (SELECT n.nspname, c.relname, a.attname, a.atttypid, a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS attnotnull, a.atttypmod, a.attlen, t.typtypmod, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum, nullif(a.attidentity, '') AS attidentity, nullif(a.attgenerated, '') AS attgenerated, pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc, dsc.description, t.typbasetype, t.typtype FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid) JOIN pg_catalog.pg_attribute a ON (a.attrelid = c.oid) JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid) LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid = def.adrelid AND a.attnum = def.adnum) LEFT JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid) WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND c.relname LIKE 'products') c WHERE true ORDER BY nspname, c.relname, attnum

SELECT result.table_name, result.column_name, result.key_seq, result.pk_name FROM (SELECT ct.relname AS table_name, a.attname AS column_name, (information_schema._pg_expandarray(i.indkey)).n AS key_seq, ci.relname AS pk_name, information_schema._pg_expandarray(i.indkey) AS keys, a.attnum AS a_attnum FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE ct.relname = 'products' AND i.indisprimary) result WHERE result.a_attnum = (result.keys).x ORDER BY result.table_name, result.pk_name, result.key_seq

SELECT typinput = 'array_in'::regproc AS is_array, typtype, typname, pg_type.oid FROM pg_catalog.pg_type LEFT JOIN (SELECT ns.oid AS nspoid, ns.nspname, r.r FROM pg_namespace AS ns JOIN (SELECT s.r, (current_schemas(false))[s.r] AS nspname FROM generate_series(1, array_upper(current_schemas(false), 1)) AS s(r)) AS r USING (nspname)) AS sp ON sp.nspoid = typnamespace WHERE typname = 'priority' ORDER BY sp.r, pg_type.oid DESC

SELECT e.typdelim FROM pg_catalog.pg_type t, pg_catalog.pg_type e WHERE t.oid = 1007 AND t.typelem = e.oid

SHOW TRANSACTION ISOLATION LEVEL

BEGIN READ ONLY

select t.oid, case when nsp.nspname in ('pg_catalog', 'public') then t.typname else nsp.nspname || '.' || t.typname end from pg_type t left join pg_type base_type on t.typelem = base_type.oid left join pg_namespace nsp on t.typnamespace = nsp.oid where (t.typtype in ('b', 'p', 'r', 'e') and (base_type.oid is null or base_type.typtype in ('b', 'p', 'r', 'e')))

-- asyncpg, psycopg, node-postgres

SELECT t.oid, ns.nspname, t.typname, t.typtype FROM pg_catalog.pg_type AS t INNER JOIN pg_catalog.pg_namespace AS ns ON ns.oid = t.typnamespace WHERE t.typname = 'country' ORDER BY 1

WITH RECURSIVE typeinfo_tree(oid, ns, name, kind, basetype, elemtype, depth) AS (SELECT t.oid, t.typnamespace, t.typname, t.typtype, t.typbasetype, t.typelem, 0 FROM pg_catalog.pg_type t WHERE t.oid = any(ARRAY['priority'::regtype::oid]) UNION ALL SELECT ti.oid, ti.typnamespace, ti.typname, ti.typtype, ti.typbasetype, ti.typelem, tt.depth + 1 FROM pg_catalog.pg_type ti, typeinfo_tree tt WHERE (tt.elemtype IS NOT NULL AND ti.oid = tt.elemtype)) SELECT DISTINCT *, basetype::regtype::text AS basetype_name FROM typeinfo_tree ORDER BY depth DESC

SELECT typname AS name, oid, typarray AS array_oid, oid::regtype::text AS regtype, typdelim AS delimiter FROM pg_type t WHERE t.oid = to_regtype('priority') ORDER BY t.oid

SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL;

SELECT 1

SELECT now()

SELECT $q$it's$q$ AS message

-- Tableau

SELECT "sales"."region" AS "region", SUM("sales"."amount") AS "sum:amount:ok" FROM "public"."sales" "sales" GROUP BY 1

SELECT DATE_TRUNC('MONTH', CAST("sales"."sold_at" AS TIMESTAMP)) AS "tmn:sold_at:ok", COUNT(1) AS "cnt:x:ok" FROM "public"."sales" "sales" WHERE (("sales"."region" IN ('north', 'south')) AND (NOT ("sales"."channel" IS NULL))) GROUP BY 1 ORDER BY 1

SELECT * FROM (SELECT * FROM sales WHERE amount > 10) "Custom SQL Query" LIMIT 100

SELECT MIN("products"."price") AS "TEMP(x)(1)", MAX("products"."price") AS "TEMP(x)(2)", COUNT(1) AS "COUNT(1)" FROM "public"."products" "products" HAVING (COUNT(1) > 0)

SELECT "products"."title" AS "title", SUM("sales"."amount") AS "sum" FROM "public"."sales" "sales" INNER JOIN "public"."products" "products" ON ("sales"."product_id" = "products"."id") INNER JOIN (SELECT "sales"."region" AS "region", SUM("sales"."amount") AS "$__alias__0" FROM "public"."sales" "sales" GROUP BY 1 ORDER BY 2 DESC LIMIT 2) "t0" ON ("sales"."region" = "t0"."region") GROUP BY 1 ORDER BY 1

SELECT (CASE WHEN (CASE WHEN (SUM("s"."quantity") < 0) THEN 0 ELSE SUM("s"."quantity") END) = 0 THEN NULL ELSE SUM("s"."amount") / SUM("s"."quantity") END) AS "usr:Calculation_1:ok" FROM "public"."sales" "s"

SELECT "people"."country" AS "country", COUNT(DISTINCT "people"."email") AS "ctd:email:ok" FROM "public"."people" "people" GROUP BY 1

DECLARE "SQL_CUR0x7f" CURSOR WITH HOLD FOR SELECT "products"."id" AS "id" FROM "public"."products" "products" ORDER BY 1

CREATE LOCAL TEMPORARY TABLE "#Tableau_1_Filter" ("X_region" TEXT, "X_n" BIGINT) ON COMMIT PRESERVE ROWS

-- Metabase

SELECT "source"."region" AS "region", COUNT(*) AS "count" FROM (SELECT "public"."sales"."id" AS "id", "public"."sales"."region" AS "region" FROM "public"."sales" WHERE "public"."sales"."amount" > 2) "source" GROUP BY "source"."region" ORDER BY "source"."region" ASC

-- Metabase:: userID: 1 queryType: MBQL queryHash: abc
SELECT CAST("public"."sales"."sold_at" AS date) AS "sold_at", SUM("public"."sales"."amount") AS "sum" FROM "public"."sales" WHERE ("public"."sales"."sold_at" >= timestamp with time zone '2026-01-01 00:00:00.000Z') AND ("public"."sales"."sold_at" < timestamp with time zone '2026-01-10 00:00:00.000Z') GROUP BY CAST("public"."sales"."sold_at" AS date) ORDER BY CAST("public"."sales"."sold_at" AS date) ASC

SELECT DATE_TRUNC('week', ("public"."sales"."sold_at" + INTERVAL '1 day')) - INTERVAL '1 day' AS "week", COUNT(*) FROM "public"."sales" GROUP BY 1 ORDER BY 1

SELECT ((floor((("public"."products"."price" - 0.0) / 10.0)) * 10.0) + 0.0) AS "price", COUNT(*) AS "count" FROM "public"."products" GROUP BY 1 ORDER BY 1

SELECT "public"."tickets"."id" AS "id", "People - Person"."name" AS "name" FROM "public"."tickets" LEFT JOIN "public"."people" AS "People - Person" ON "public"."tickets"."person_id" = "People - Person"."id" LIMIT 1048575

SELECT "public"."people"."email" AS "email", SUBSTRING("public"."people"."name", 1, 1234) AS "name" FROM "public"."people" LIMIT 10000

SELECT TRUE AS "_" FROM "public"."products" WHERE 1 <> 1 LIMIT 0

-- Power BI

select "_"."region", "_"."a0" from (select "rows"."region" as "region", sum("rows"."amount") as "a0" from (select "region", "amount" from "public"."sales" "$Table") "rows" group by "region") "_" where not "_"."a0" is null order by 1 limit 1000001

select "$Outer"."c", "$Inner"."title" from (select "product_id" as "c" from "public"."sales" "$Table" group by 1) "$Outer" left outer join "public"."products" "$Inner" on ("$Outer"."c" = "$Inner"."id") order by 1 limit 501

select TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE from INFORMATION_SCHEMA.tables where TABLE_SCHEMA not in ('information_schema', 'pg_catalog') order by TABLE_SCHEMA, TABLE_NAME

select i.CONSTRAINT_SCHEMA || '_' || i.CONSTRAINT_NAME as INDEX_NAME, ii.COLUMN_NAME, ii.ORDINAL_POSITION, case when i.CONSTRAINT_TYPE = 'PRIMARY KEY' then 'Y' else 'N' end as PRIMARY_KEY from INFORMATION_SCHEMA.table_constraints i inner join INFORMATION_SCHEMA.key_column_usage ii on i.CONSTRAINT_SCHEMA = ii.CONSTRAINT_SCHEMA and i.CONSTRAINT_NAME = ii.CONSTRAINT_NAME and i.TABLE_SCHEMA = ii.TABLE_SCHEMA and i.TABLE_NAME = ii.TABLE_NAME where i.TABLE_SCHEMA = 'public' and i.TABLE_NAME = 'sales' and i.CONSTRAINT_TYPE in ('PRIMARY KEY', 'UNIQUE') order by 1, 3

select COLUMN_NAME, ORDINAL_POSITION, IS_NULLABLE, case when (data_type like '%unsigned%') then DATA_TYPE || ' unsigned' else DATA_TYPE end as DATA_TYPE from INFORMATION_SCHEMA.columns where TABLE_SCHEMA = 'public' and TABLE_NAME = 'products' order by ORDINAL_POSITION

select character_set_name from INFORMATION_SCHEMA.character_sets

-- Superset, Redash, Looker, Grafana

SELECT DATE_TRUNC('day', sold_at) AS __timestamp, region AS region, sum(amount) AS "SUM(amount)" FROM public.sales JOIN (SELECT region AS region__, sum(amount) AS mme_inner__ FROM public.sales GROUP BY region ORDER BY mme_inner__ DESC LIMIT 5) AS series_limit ON region = region__ WHERE sold_at >= TO_TIMESTAMP('2026-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') GROUP BY DATE_TRUNC('day', sold_at), region ORDER BY 1, 2 LIMIT 1000

SELECT * FROM (SELECT *, row_number() OVER (ORDER BY id) AS rn FROM products) AS virtual_table WHERE rn <= 5 LIMIT 1001

SELECT sales.region AS "sales.region", COALESCE(SUM(sales.amount), 0) AS "sales.total" FROM public.sales AS sales WHERE ((( sales.sold_at ) >= ((TIMESTAMP '2026-01-01')) AND ( sales.sold_at ) < ((TIMESTAMP '2026-02-01')))) GROUP BY 1 ORDER BY 2 DESC FETCH NEXT 500 ROWS ONLY

SELECT floor(extract(epoch from at)/3600)*3600 AS "time", avg(value) AS value, host AS metric FROM metrics WHERE at BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-03T00:00:00Z' GROUP BY 1, host ORDER BY 1, 3

SELECT quote_ident(table_name) FROM information_schema.tables WHERE table_schema IN (SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i, string_to_array(current_setting('search_path'), ',') s) ORDER BY 1

SELECT date_bin('1 day', at, '2026-01-01'), percentile_cont(0.95) WITHIN GROUP (ORDER BY value) FROM metrics GROUP BY 1 ORDER BY 1

SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'

-- dbt

select distinct nspname from pg_namespace

select 'public' as database, tablename as name, schemaname as schema, 'table' as type from pg_tables where schemaname ilike 'public' union all select 'public' as database, viewname as name, schemaname as schema, 'view' as type from pg_views where schemaname ilike 'public' union all select 'public', matviewname, schemaname, 'materialized_view' from pg_matviews where schemaname ilike 'public'

with relation as (select pg_rewrite.ev_class as class, pg_rewrite.oid as id from pg_rewrite), class as (select oid as id, relname as name, relnamespace as schema, relkind as kind from pg_class), dependency as (select distinct pg_depend.objid as id, pg_depend.refobjid as ref from pg_depend) select distinct c.name from relation r join class c on r.class = c.id join dependency d on r.id = d.id where d.ref <> c.id

-- monitoring

SELECT datname, pid, state, wait_event_type, extract(epoch FROM clock_timestamp() - xact_start) AS age FROM pg_stat_activity WHERE state <> 'idle' AND backend_type = 'client backend'

SELECT count(*) FROM pg_stat_activity WHERE state = 'active'

SELECT name, setting, COALESCE(unit, '') AS unit, vartype FROM pg_settings WHERE vartype IN ('bool', 'integer', 'real')

SELECT version(), current_setting('server_version_num')::int

SELECT pg_is_in_recovery(), pg_postmaster_start_time()

SELECT n.nspname, c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE a.attnum > 0 AND n.nspname = 'public' AND c.relkind = 'r'

SELECT schemaname, relname, last_vacuum, last_autovacuum, last_analyze FROM pg_stat_user_tables

SELECT indexrelid::regclass, idx_scan FROM pg_stat_user_indexes

SELECT age(datfrozenxid), datname FROM pg_database

-- EXPLAIN

EXPLAIN SELECT * FROM products WHERE id = 1

EXPLAIN (FORMAT JSON) SELECT region, sum(amount) FROM sales GROUP BY region

EXPLAIN (ANALYZE, TIMING OFF) SELECT count(*) FROM sales

EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM categories

EXPLAIN UPDATE products SET stock = 0

EXPLAIN SELECT name FROM people WHERE email = 'x'
