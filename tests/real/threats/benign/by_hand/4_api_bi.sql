-- postgrest, supabase

select set_config('search_path', $1, true), set_config('role', $2, true), set_config('request.jwt.claims', $3, true), set_config('request.method', $4, true), set_config('request.path', $5, true), set_config('request.headers', $6, true), set_config('request.cookies', $7, true)
-- $ "\"public\"", "postgres", "{\"role\":\"anon\"}", "GET", "/app_user", "{}", "{}"

WITH pgrst_source AS ( SELECT "public"."app_user"."id", "public"."app_user"."email" FROM "public"."app_user" WHERE "public"."app_user"."account_id" = $1 ORDER BY "public"."app_user"."id" LIMIT $2 OFFSET $3 ) SELECT null::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body, nullif(current_setting('response.headers', true), '') AS response_headers, nullif(current_setting('response.status', true), '') AS response_status, '' AS response_inserted FROM ( SELECT * FROM pgrst_source ) _postgrest_t
-- $ 1, 5, 0

WITH pgrst_source AS ( SELECT "public"."purchase".*, row_to_json("purchase_app_user_1".*) AS "app_user", COALESCE("purchase_purchase_line_1"."purchase_purchase_line_1", '[]') AS "purchase_line" FROM "public"."purchase" LEFT JOIN LATERAL ( SELECT "app_user_1"."id", "app_user_1"."full_name" FROM "public"."app_user" AS "app_user_1" WHERE "app_user_1"."id" = "public"."purchase"."user_id" ) AS "purchase_app_user_1" ON TRUE LEFT JOIN LATERAL ( SELECT json_agg("purchase_purchase_line_1")::jsonb AS "purchase_purchase_line_1" FROM (SELECT "purchase_line_1"."qty", "purchase_line_1"."amount" FROM "public"."purchase_line" AS "purchase_line_1" WHERE "purchase_line_1"."purchase_id" = "public"."purchase"."id" ) AS "purchase_purchase_line_1" ) AS "purchase_purchase_line_1" ON TRUE WHERE "public"."purchase"."status" = $1 ORDER BY "public"."purchase"."placed_at" DESC LIMIT $2 OFFSET $3 ), pgrst_source_count AS (SELECT 1 FROM "public"."purchase" WHERE "public"."purchase"."status" = $1) SELECT (SELECT pg_catalog.count(*) FROM pgrst_source_count) AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body FROM (SELECT * FROM pgrst_source) _postgrest_t
-- $ "paid", 4, 0

WITH pgrst_source AS (INSERT INTO "public"."auth_group"("name") SELECT pgrst_body."name" FROM (SELECT $1 AS json_data) pgrst_payload, LATERAL (SELECT CASE WHEN json_typeof(pgrst_payload.json_data::json) = 'array' THEN pgrst_payload.json_data::json ELSE json_build_array(pgrst_payload.json_data::json) END AS val) pgrst_uniform_json, LATERAL (SELECT "name" FROM json_to_recordset(pgrst_uniform_json.val) AS _("name" varchar) ) pgrst_body RETURNING "public"."auth_group"."id", "public"."auth_group"."name") SELECT '' AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, array[]::text[] AS header, coalesce(json_agg(_postgrest_t), '[]')::text AS body FROM (SELECT "auth_group"."name" FROM pgrst_source AS "auth_group") _postgrest_t
-- $ "[{\"name\": \"rest\"}]"

WITH pgrst_source AS (INSERT INTO "public"."purchase"("account_id", "user_id", "total") SELECT "pgrst_body"."account_id", "pgrst_body"."user_id", "pgrst_body"."total" FROM (SELECT $1::json AS json_data) pgrst_payload, LATERAL (SELECT "account_id", "user_id", "total" FROM json_to_recordset(pgrst_payload.json_data) AS _("account_id" integer, "user_id" bigint, "total" numeric(12,2)) ) pgrst_body RETURNING "public"."purchase"."total") SELECT pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body FROM (SELECT * FROM pgrst_source) _postgrest_t
-- $ "[{\"account_id\": 1, \"user_id\": 3, \"total\": 4}]"

WITH pgrst_source AS (UPDATE "public"."purchase" SET "note" = "pgrst_body"."note" FROM (SELECT $1::json AS json_data) pgrst_payload, LATERAL (SELECT "note" FROM json_to_record(pgrst_payload.json_data) AS _("note" text) ) pgrst_body WHERE "public"."purchase"."id" = $2 RETURNING "public"."purchase"."id", "public"."purchase"."note") SELECT pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body FROM (SELECT * FROM pgrst_source) _postgrest_t
-- $ "{\"note\": \"patched\"}", 3

WITH pgrst_source AS (DELETE FROM "public"."purchase" WHERE "public"."purchase"."id" = $1 RETURNING "public"."purchase"."id") SELECT pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t)->0, 'null') AS body FROM (SELECT * FROM pgrst_source) _postgrest_t
-- $ 3

with pks_uniques_cols as ( select connamespace, conrelid, array_agg(key order by key) as cols from pg_constraint, lateral unnest(conkey) as key where contype IN ('p', 'u') and connamespace::regnamespace::text <> 'pg_catalog' group by connamespace, conrelid ) select traint.conrelid::regclass::text, traint.confrelid::regclass::text, traint.conname, column_info.cols_and_fcols, (column_info.cols IN (SELECT cols FROM pks_uniques_cols WHERE connamespace = traint.connamespace AND conrelid = traint.conrelid)) AS one_to_one FROM pg_constraint traint JOIN LATERAL ( SELECT array_agg(row(cols.attname, refs.attname) order by ord) AS cols_and_fcols, array_agg(cols.attnum order by cols.attnum) AS cols FROM unnest(traint.conkey, traint.confkey) WITH ORDINALITY AS _(col, ref, ord) JOIN pg_attribute cols ON cols.attrelid = traint.conrelid AND cols.attnum = col JOIN pg_attribute refs ON refs.attrelid = traint.confrelid AND refs.attnum = ref ) AS column_info ON TRUE WHERE traint.contype = 'f' and traint.conparentid = 0 ORDER BY 1, 3

SELECT pn.nspname AS proc_schema, p.proname AS proc_name, d.description AS proc_description, COALESCE((SELECT array_agg(format_type(t, NULL)) FROM unnest(p.proargtypes::oid[]) t), '{}') AS args, tn.nspname AS schema, COALESCE(comp.relname, t.typname) AS name, p.proretset AS rettype_is_setof, (t.typtype = 'c' or (p.proargmodes::text[] && '{t}'::text[])) AS rettype_is_composite, p.provolatile, p.provariadic > 0 as hasvariadic FROM pg_proc p JOIN pg_namespace pn ON pn.oid = p.pronamespace JOIN pg_type t ON t.oid = p.prorettype JOIN pg_namespace tn ON tn.oid = t.typnamespace LEFT JOIN pg_class comp ON comp.oid = t.typrelid LEFT JOIN pg_description as d ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass WHERE t.oid <> 'trigger'::regtype AND prokind = 'f' AND pn.nspname = 'public' ORDER BY 2, 4

SELECT current_setting('server_version_num')::integer, current_setting('server_version'), version()

-- hasura

SELECT json_build_object('aggregate', json_build_object('count', COUNT(*), 'sum', json_build_object('total', SUM("root.pg.total"))), 'nodes', coalesce(json_agg("n"), '[]')) AS "root" FROM (SELECT "_root.base"."total" AS "root.pg.total", row_to_json((SELECT "_e" FROM (SELECT "_root.base"."id" AS "id", "_root.base"."status" AS "status") AS "_e")) AS "n" FROM (SELECT * FROM "public"."purchase" WHERE ((("public"."purchase"."status") = (('paid')::"order_status")) OR ((("public"."purchase"."status") IS NULL) AND ((('paid')::"order_status") IS NULL))) ORDER BY "id") AS "_root.base") AS "_root"

WITH "purchase__mutation_result_alias" AS (UPDATE "public"."purchase" SET "note" = ($1)::text WHERE (("public"."purchase"."id") = (($2)::bigint)) RETURNING * , ('true')::boolean AS "check__constraint"), "purchase__all_columns_alias" AS (SELECT "id" , "total" FROM "purchase__mutation_result_alias") SELECT json_build_object('affected_rows', (SELECT COUNT(*) FROM "purchase__mutation_result_alias"), 'returning', (SELECT coalesce(json_agg("root"), '[]') AS "root" FROM (SELECT row_to_json((SELECT "_e" FROM (SELECT "_root.base"."id" AS "id") AS "_e")) AS "root" FROM (SELECT * FROM "purchase__all_columns_alias") AS "_root.base") AS "_root")), (SELECT coalesce(bool_and("check__constraint"), 'true') FROM "purchase__mutation_result_alias")
-- $ "hasura", 3

-- postgraphile

with recursive accessible_roles(_oid) as ( select oid _oid, pg_roles.rolname as rolname from pg_roles where rolname = current_user union all select pg_roles.oid _oid, pg_roles.rolname from pg_roles, accessible_roles, pg_auth_members where pg_auth_members.roleid = pg_roles.oid and pg_auth_members.member = accessible_roles._oid ), namespace as ( select 'namespace' as "kind", nsp.oid as "id", nsp.nspname as "name", dsc.description as "description" from pg_catalog.pg_namespace as nsp left join pg_catalog.pg_description as dsc on dsc.objoid = nsp.oid and dsc.classoid = 'pg_catalog.pg_namespace'::regclass where nsp.nspname = any (array['public']) ), class as ( select 'class' as "kind", rel.oid as "id", rel.relname as "name", rel.relkind as "classKind", nsp.id as "namespaceId", rel.reltype as "typeId", rel.relkind in ('r', 'v', 'm', 'f', 'p') as "isSelectable", (pg_catalog.pg_relation_is_updatable(rel.oid, true)::bit(8) & B'00010000') = B'00010000' as "isInsertable", exists(select 1 from accessible_roles where has_table_privilege(accessible_roles._oid, rel.oid, 'SELECT')) as "aclSelectable" from pg_catalog.pg_class as rel join namespace nsp on nsp.id = rel.relnamespace join pg_namespace nsp2 on nsp2.oid = nsp.id cross join lateral (select nsp2.oid) nspx(oid) where rel.relpersistence in ('p') and rel.relkind in ('r', 'v', 'm', 'c', 'f', 'p') ) select row_to_json(x) as object from class as x order by x."name"

with proc as (select 'procedure' as "kind", pro.oid as "id", pro.proname as "name", dsc.description, pro.pronamespace as "namespaceId", nsp.nspname as "namespaceName", pro.proisstrict as "isStrict", pro.proretset as "returnsSet", case when pro.provolatile = 'i' then true when pro.provolatile = 's' then true else false end as "isStable", pro.prorettype as "returnTypeId", coalesce(pro.proallargtypes, pro.proargtypes) as "argTypeIds", coalesce(pro.proargmodes, array[]::text[]) as "argModes", coalesce(pro.proargnames, array[]::text[]) as "argNames", pro.pronargs as "inputArgsCount", pro.pronargdefaults as "argDefaultsNum", pro.procost as "cost", exists(select 1 from pg_roles where has_function_privilege(pg_roles.oid, pro.oid, 'EXECUTE')) as "aclExecutable", lng.lanname as "language" from pg_catalog.pg_proc as pro left join pg_catalog.pg_description as dsc on dsc.objoid = pro.oid and dsc.classoid = 'pg_catalog.pg_proc'::regclass left join pg_catalog.pg_namespace as nsp on nsp.oid = pro.pronamespace left join pg_catalog.pg_language as lng on lng.oid = pro.prolang where nsp.nspname = 'analytics' or pro.proname = 'order_total') select row_to_json(proc) from proc

with __local_0__ as (select to_json((json_build_object('__identifiers'::text, json_build_array(__local_0__."id"), 'email'::text, (__local_0__."email"), '@orders'::text, (select coalesce((select json_agg(__local_1__."object") from (select json_build_object('total'::text, ((__local_2__."total"))::text) as object from (select __local_2__.* from "public"."purchase" as __local_2__ where (__local_2__."user_id" = __local_0__."id") and (TRUE) and (TRUE) order by __local_2__."id" ASC) __local_2__) as __local_1__), '[]'::json))))) as "@nodes" from (select __local_0__.* from "public"."app_user" as __local_0__ where (TRUE) and (TRUE) order by __local_0__."id" ASC limit 4) __local_0__) , __local_3__ as (select json_agg(to_json(__local_0__)) as data from __local_0__) select coalesce((select __local_3__.data from __local_3__), '[]'::json) as "data", (select json_build_object('totalCount'::text, count(1)) from "public"."app_user" as __local_0__ where 1 = 1) as "aggregates"

-- supabase studio / postgres-meta

with tables as (SELECT c.oid :: int8 AS id, nc.nspname AS schema, c.relname AS name, c.relrowsecurity AS rls_enabled, c.relforcerowsecurity AS rls_forced, CASE WHEN c.relreplident = 'd' THEN 'DEFAULT' WHEN c.relreplident = 'i' THEN 'INDEX' WHEN c.relreplident = 'f' THEN 'FULL' ELSE 'NOTHING' END AS replica_identity, pg_total_relation_size(format('%I.%I', nc.nspname, c.relname)) :: int8 AS bytes, pg_size_pretty(pg_total_relation_size(format('%I.%I', nc.nspname, c.relname))) AS size, pg_stat_get_live_tuples(c.oid) AS live_rows_estimate, pg_stat_get_dead_tuples(c.oid) AS dead_rows_estimate, obj_description(c.oid) AS comment FROM pg_namespace nc JOIN pg_class c ON nc.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT pg_is_other_temp_schema(nc.oid) AND (pg_has_role(c.relowner, 'USAGE') OR has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')) ) SELECT id, schema, name, rls_enabled, replica_identity, comment FROM tables WHERE schema IN ('public') ORDER BY name

select c.id, c.name from (select c.oid id, c.relname name, pg_get_viewdef(c.oid, true) d, has_table_privilege(c.oid, 'select') p from pg_class c where c.relkind = 'v' and c.relnamespace = 'public'::regnamespace) c where p order by 2

select pol.oid, pol.polname, pol.polpermissive, array(select r.rolname from pg_roles r where r.oid = any(pol.polroles)) from pg_policy pol join pg_class c on c.oid = pol.polrelid order by 1

with f as (select p.*, l.lanname, case when l.lanname = 'internal' then p.prosrc else pg_get_functiondef(p.oid) end as definition from pg_proc p left join pg_language l on l.oid = p.prolang where p.prokind in ('f', 'p')) select f.oid::int8 as id, n.nspname as schema, f.proname as name, f.lanname as language, f.definition, pg_get_function_arguments(f.oid) as argument_types, pg_get_function_identity_arguments(f.oid) as identity_argument_types, f.prorettype::int8 as return_type_id, pg_get_function_result(f.oid) as return_type, f.prosecdef as security_definer, f.proconfig from f left join pg_namespace n on f.pronamespace = n.oid where n.nspname = 'public' and f.proname in ('order_total', 'touch_updated') order by 3

-- metabase

select "source"."status" as "status", count(*) as "count" from (select "public"."purchase"."id" as "id", "public"."purchase"."status" as "status", "public"."purchase"."total" as "total" from "public"."purchase" where "public"."purchase"."total" > 50) as "source" group by "source"."status" order by "source"."status" asc

-- Metabase:: userID: 1 queryType: MBQL queryHash: 3f5d
SELECT DATE_TRUNC('month', "public"."purchase"."placed_at") AS "placed_at", SUM("public"."purchase"."total") AS "sum", COUNT(*) AS "count" FROM "public"."purchase" LEFT JOIN "public"."app_user" AS "User" ON "public"."purchase"."user_id" = "User"."id" WHERE "User"."is_staff" = FALSE GROUP BY DATE_TRUNC('month', "public"."purchase"."placed_at") ORDER BY DATE_TRUNC('month', "public"."purchase"."placed_at") ASC

SELECT SUBSTRING("source"."bio" FROM 1 FOR 1234) AS "substring26", "source"."id" FROM (SELECT "public"."app_user"."id", "public"."app_user"."bio" FROM "public"."app_user") AS "source" ORDER BY 2 LIMIT 10000

SELECT "public"."app_user"."id", SUBSTRING("public"."app_user"."email" FROM 1 FOR 1234) AS "substring1", "public"."app_user"."salary", "public"."app_user"."birth_date" FROM "public"."app_user" ORDER BY "id" LIMIT 10000

SELECT "public"."app_user"."email" AS "email" FROM "public"."app_user" GROUP BY "public"."app_user"."email" ORDER BY "public"."app_user"."email" ASC LIMIT 1000

SELECT COUNT(distinct "public"."app_user"."account_id") AS "count", MIN("public"."app_user"."date_joined"), MAX("public"."app_user"."score") FROM "public"."app_user"

select FLOOR((("public"."purchase"."total" - 0.0) / 50.0)) * 50.0 + 0.0 AS "total", count(*) AS "count" FROM "public"."purchase" GROUP BY 1 ORDER BY 1

SELECT CAST("public"."purchase"."placed_at" AS date) AS "d", AVG("public"."purchase"."total") AS "avg", PERCENTILE_CONT(0.95) within group (order by "public"."purchase"."total") AS "p95", STDDEV_POP("public"."purchase"."total") AS "sd" FROM "public"."purchase" WHERE "public"."purchase"."placed_at" >= DATE_TRUNC('month', CAST('2024-03-01' AS timestamp) + (INTERVAL '-3 month')) GROUP BY 1 ORDER BY 1

SELECT NULL AS "TABLE_CAT", n.nspname AS "schema", c.relname AS "name", CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'm' THEN 'MATERIALIZED VIEW' END AS "type", d.description, NULLIF(stat.n_live_tup, 0) AS estimated_row_count FROM pg_catalog.pg_class c INNER JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid LEFT JOIN pg_catalog.pg_description d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass LEFT JOIN pg_stat_user_tables stat ON n.nspname = stat.schemaname AND c.relname = stat.relname WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema') AND c.relkind IN ('r', 'p', 'v', 'f', 'm') ORDER BY 2, 3

WITH table_privileges AS ( SELECT NULL AS role, t.schemaname AS schema, t.objectname AS table, pg_catalog.has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'update') AS update, pg_catalog.has_any_column_privilege(current_user, quote_ident(t.schemaname) || '.' || quote_ident(t.objectname), 'select') AS select, pg_catalog.has_table_privilege(current_user, quote_ident(t.schemaname) || '.' || quote_ident(t.objectname), 'delete') AS delete FROM ( SELECT schemaname, tablename AS objectname FROM pg_catalog.pg_tables UNION SELECT schemaname, viewname AS objectname FROM pg_catalog.pg_views UNION SELECT schemaname, matviewname AS objectname FROM pg_catalog.pg_matviews ) t WHERE t.schemaname !~ '^pg_' AND t.schemaname <> 'information_schema' AND pg_catalog.has_schema_privilege(current_user, t.schemaname, 'usage') ) SELECT t.* FROM table_privileges t ORDER BY 2, 3

SELECT nspname AS "schema" FROM pg_namespace WHERE has_schema_privilege(nspname, 'USAGE') ORDER BY 1

SELECT current_setting('TIMEZONE') AS timezone

-- superset, redash, looker, tableau, power bi

SELECT DATE_TRUNC('week', placed_at) AS __timestamp, status AS status, COUNT(*) AS count FROM public.purchase JOIN (SELECT status AS status__, COUNT(*) AS mme_inner__ FROM public.purchase WHERE placed_at >= TO_TIMESTAMP('2024-03-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') GROUP BY status ORDER BY mme_inner__ DESC, 1 LIMIT 3) AS series_limit ON status = status__ WHERE placed_at >= TO_TIMESTAMP('2024-03-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') GROUP BY status, DATE_TRUNC('week', placed_at) ORDER BY 1, 2 LIMIT 10000

SELECT email, sum(n) AS "SUM(n)" FROM (select u.email, count(*) as n from app_user u join purchase p on p.user_id = u.id group by 1) AS virtual_table GROUP BY email ORDER BY "SUM(n)" DESC, 1 LIMIT 100

SELECT s.nspname AS table_schema, c.relname AS table_name, a.attname AS column_name, null AS data_type FROM pg_class c JOIN pg_namespace s ON c.relnamespace = s.oid AND s.nspname NOT IN ('pg_catalog', 'information_schema') JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND has_table_privilege(s.nspname || '.' || '"' || c.relname || '"', 'select') UNION SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, 3

WITH user_order_facts AS (SELECT user_id, COUNT(*) AS lifetime_orders, MIN(placed_at) AS first_order, MAX(placed_at) AS latest_order FROM purchase GROUP BY 1) SELECT CASE WHEN user_order_facts.lifetime_orders < 2 THEN '0' WHEN user_order_facts.lifetime_orders >= 2 AND user_order_facts.lifetime_orders < 5 THEN '1' ELSE '2' END AS "user_order_facts.tier__sort_", COUNT(DISTINCT app_user.id ) AS "users.count", COALESCE(SUM(purchase.total ), 0) AS "orders.total" FROM public.purchase AS purchase LEFT JOIN public.app_user AS app_user ON purchase.user_id = app_user.id LEFT JOIN user_order_facts ON app_user.id = user_order_facts.user_id WHERE ((( purchase.placed_at ) >= ((SELECT TIMESTAMP '2024-03-01')) AND ( purchase.placed_at ) < ((SELECT (TIMESTAMP '2024-03-01' + (90 || ' day')::INTERVAL))))) GROUP BY 1 ORDER BY 1 FETCH NEXT 500 ROWS ONLY

SELECT DATE(purchase.placed_at ) AS "orders.created_date", (TO_CHAR(DATE_TRUNC('month', purchase.placed_at ), 'YYYY-MM')) AS m, COALESCE(COALESCE(CAST( ( SUM(DISTINCT (CAST(FLOOR(COALESCE( purchase.total ,0)*(1000000*1.0)) AS DECIMAL(65,0))) + ('x' || MD5(purchase.id ::varchar))::bit(64)::bigint::DECIMAL(65) *18446744073709551616 + ('x' || SUBSTR(MD5(purchase.id ::varchar),17))::bit(64)::bigint::DECIMAL(65) ) - SUM(DISTINCT ('x' || MD5(purchase.id ::varchar))::bit(64)::bigint::DECIMAL(65) *18446744073709551616 + ('x' || SUBSTR(MD5(purchase.id ::varchar),17))::bit(64)::bigint::DECIMAL(65)) ) AS DOUBLE PRECISION) / CAST((1000000*1.0) AS DOUBLE PRECISION), 0), 0) AS "total" FROM purchase LEFT JOIN purchase_line ON purchase.id = purchase_line.purchase_id GROUP BY 1, 2 ORDER BY 1 DESC LIMIT 500

SELECT "purchase"."status" AS "status", SUM("purchase"."total") AS "sum:total:ok" FROM "public"."purchase" "purchase" INNER JOIN "public"."app_user" "app_user" ON ("purchase"."user_id" = "app_user"."id") WHERE (("app_user"."is_active" = TRUE) AND (DATE_TRUNC('YEAR', CAST("purchase"."placed_at" AS TIMESTAMP)) = (TIMESTAMP '2024-01-01 00:00:00.000'))) GROUP BY 1 ORDER BY 1

BEGIN;declare "SQL_CUR0x7f1" cursor with hold for SELECT "app_user"."full_name" AS "full_name", "app_user"."id" FROM "public"."app_user" "app_user" ORDER BY 2;fetch 2000 in "SQL_CUR0x7f1"

CREATE LOCAL TEMPORARY TABLE "#Tableau_1_Connect" ( "COL" INTEGER ) ON COMMIT PRESERVE ROWS;;
DROP TABLE "#Tableau_1_Connect"

SELECT * FROM (SELECT 1 AS "COL") AS "CHECKTOP" LIMIT 1

select "_"."status" as "c0", sum("_"."total") as "a0" from ( select "$Table"."id" as "id", "$Table"."status" as "status", "$Table"."total" as "total" from "public"."purchase" "$Table" ) "_" group by "_"."status" order by 1 limit 1000001

select "$Table"."id" as "id", "$Table"."email" as "email", "$Table"."full_name" as "full_name", "$Table"."card_number" as "card_number" from "public"."app_user" "$Table" order by 1 limit 1000

select TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE from INFORMATION_SCHEMA.tables where TABLE_SCHEMA not in ('information_schema', 'pg_catalog') order by TABLE_SCHEMA, TABLE_NAME

select i.CONSTRAINT_SCHEMA || '_' || i.CONSTRAINT_NAME as INDEX_NAME, ii.COLUMN_NAME, ii.ORDINAL_POSITION, case when i.CONSTRAINT_TYPE = 'PRIMARY KEY' then 'Y' else 'N' end as PRIMARY_KEY from INFORMATION_SCHEMA.table_constraints i inner join INFORMATION_SCHEMA.key_column_usage ii on i.CONSTRAINT_SCHEMA = ii.CONSTRAINT_SCHEMA and i.CONSTRAINT_NAME = ii.CONSTRAINT_NAME and i.TABLE_SCHEMA = ii.TABLE_SCHEMA and i.TABLE_NAME = ii.TABLE_NAME where i.TABLE_SCHEMA = 'public' and i.TABLE_NAME = 'purchase' and i.CONSTRAINT_TYPE in ('PRIMARY KEY', 'UNIQUE') order by 1, 3

select CHARACTER_SET_NAME from INFORMATION_SCHEMA.CHARACTER_SETS

SELECT extract(epoch from t.w) AS time, metric, value FROM (SELECT floor(extract(epoch from ts)/300)*300 AS "t0", date_bin('15 minutes', ts, timestamptz '2024-06-01') w, host AS metric, avg(value) AS value FROM metric WHERE ts BETWEEN '2024-06-01T00:00:00Z' AND '2024-06-01T06:00:00Z' GROUP BY 1, 2, 3) t ORDER BY 1, 2

SELECT floor(extract(epoch from "placed_at")/86400)*86400 AS "time", count(*) FILTER (WHERE status = 'paid') AS "paid" FROM purchase WHERE "placed_at" >= to_timestamp(1709251200) AND "placed_at" <= to_timestamp(1717200000) GROUP BY 1 ORDER BY 1

select quote_ident(table_name) from information_schema.tables where quote_ident(table_schema) not in ('information_schema', 'pg_catalog', '_timescaledb_cache') and quote_ident(table_schema) in (select case trim(unnest) when '"$user"' then user else trim(unnest) end from unnest(string_to_array(current_setting('search_path'),','))) order by 1

SELECT clmns.attname, format_type(clmns.atttypid, clmns.atttypmod) FROM pg_attribute clmns WHERE attrelid = 'public.purchase'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum

SELECT clmn0_.*, sum(clmn1_) FROM (SELECT (EXTRACT(YEAR FROM t0.placed_at) * 100 + EXTRACT(MONTH FROM t0.placed_at))::int AS clmn0_, t0.total AS clmn1_ FROM (SELECT * FROM purchase) AS t0) clmn0_ GROUP BY clmn0_.clmn0_, clmn0_.clmn1_ ORDER BY 1, 2 LIMIT 20
