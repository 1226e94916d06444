-- rails and node

SET client_min_messages TO 'warning'

SET standard_conforming_strings = on

SET intervalstyle = iso_8601

SET SESSION timezone TO 'UTC'

SHOW max_identifier_length

SHOW search_path

SELECT t.oid, t.typname FROM pg_type as t WHERE t.typname IN ('int2', 'int4', 'int8', 'oid', 'float4', 'float8', 'numeric', 'bool', 'timestamp', 'timestamptz')

SELECT t.oid, t.typname, t.typelem, t.typdelim, t.typinput, r.rngsubtype, t.typtype, t.typbasetype FROM pg_type as t LEFT JOIN pg_range as r ON oid = rngtypid WHERE t.typname IN ('int2', 'bool', 'hstore', 'citext', 'jsonb') OR t.typtype IN ('r', 'e', 'd') OR t.typinput = 'array_in(cstring,oid,integer)'::regprocedure OR t.typelem != 0

SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull, a.atttypid, a.atttypmod, c.collname, col_description(a.attrelid, a.attnum) AS comment, attidentity AS identity, attgenerated as attgenerated FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum LEFT JOIN pg_type t ON a.atttypid = t.oid LEFT JOIN pg_collation c ON a.attcollation = c.oid AND a.attcollation <> t.typcollation WHERE a.attrelid = '"app_user"'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum

SELECT c.relname FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY (current_schemas(false)) AND c.relkind IN ('r','v','m','p','f') ORDER BY 1

SELECT a.attname FROM ( SELECT indrelid, indkey, generate_subscripts(indkey, 1) idx FROM pg_index WHERE indrelid = '"purchase"'::regclass AND indisprimary ) i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[i.idx] ORDER BY i.idx

SELECT t2.oid::regclass::text AS to_table, a1.attname AS column, a2.attname AS primary_key, c.conname AS name, c.confupdtype AS on_update, c.confdeltype AS on_delete, c.convalidated AS valid, c.condeferrable AS deferrable, c.condeferred AS deferred, c.conkey, c.confkey, c.conrelid, c.confrelid FROM pg_constraint c JOIN pg_class t1 ON c.conrelid = t1.oid JOIN pg_class t2 ON c.confrelid = t2.oid JOIN pg_attribute a1 ON a1.attnum = c.conkey[1] AND a1.attrelid = t1.oid JOIN pg_attribute a2 ON a2.attnum = c.confkey[1] AND a2.attrelid = t2.oid JOIN pg_namespace t3 ON c.connamespace = t3.oid WHERE c.contype = 'f' AND t1.relname = 'purchase' AND t3.nspname = 'public' ORDER BY c.conname

SELECT distinct i.relname, d.indisunique, d.indkey, pg_get_indexdef(d.indexrelid), pg_catalog.obj_description(i.oid, 'pg_class') AS comment, d.indisvalid, ARRAY(SELECT pg_get_indexdef(d.indexrelid, k + 1, true) FROM generate_subscripts(d.indkey, 1) AS k ORDER BY k) AS columns FROM pg_class t INNER JOIN pg_index d ON t.oid = d.indrelid INNER JOIN pg_class i ON d.indexrelid = i.oid LEFT JOIN pg_namespace n ON n.oid = t.relnamespace WHERE i.relkind IN ('i', 'I') AND d.indisprimary = 'f' AND t.relname = 'app_user' AND n.nspname = ANY (current_schemas(false)) ORDER BY i.relname

SELECT type.typname AS name, type.oid AS oid, n.nspname AS schema, array_agg(enum.enumlabel ORDER BY enum.enumsortorder) AS value FROM pg_enum AS enum JOIN pg_type AS type ON (type.oid = enum.enumtypid) JOIN pg_namespace n ON type.typnamespace = n.oid WHERE n.nspname = ANY (current_schemas(false)) GROUP BY type.OID, n.nspname, type.typname

SELECT extname FROM pg_extension

SELECT a.attname, pg_get_serial_sequence('purchase', 'id') FROM pg_attribute a WHERE attrelid = 'purchase'::regclass AND attnum = 1

SELECT pg_try_advisory_lock(4829389473294)

SELECT pg_advisory_unlock(4829389473294)

SELECT "schema_migrations"."version" FROM "schema_migrations" ORDER BY "schema_migrations"."version" ASC

SELECT * FROM "ar_internal_metadata" WHERE "ar_internal_metadata"."key" = $1 ORDER BY "ar_internal_metadata"."key" ASC LIMIT 1
-- $ "environment"

SELECT 1 AS one FROM "app_user" WHERE "app_user"."id" != $1 AND "app_user"."account_id" = $2 LIMIT $3
-- $ 1, 2, 1

SELECT 1 AS one FROM "purchase" WHERE "purchase"."account_id" = $1 AND "purchase"."external_id" = $2 LIMIT $3
-- $ 1, "00000000-0000-0000-0000-000000000001", 1

SELECT "app_user".* FROM "app_user" WHERE "app_user"."id" = $1 LIMIT $2
-- $ 4, 1

SELECT "purchase".* FROM "purchase" WHERE "purchase"."user_id" IN ($1, $2, $3) ORDER BY "purchase"."id" ASC
-- $ 1, 2, 4

SELECT "purchase"."id" AS t0_r0, "purchase"."account_id" AS t0_r1, "purchase"."total" AS t0_r2, "app_user"."id" AS t1_r0, "app_user"."email" AS t1_r1, "app_user"."full_name" AS t1_r2 FROM "purchase" LEFT OUTER JOIN "app_user" ON "app_user"."id" = "purchase"."user_id" WHERE "purchase"."status" = $1 ORDER BY "purchase"."id"
-- $ "paid"

SELECT COUNT(*) AS "count_all", "purchase"."status" AS "purchase_status" FROM "purchase" GROUP BY "purchase"."status" ORDER BY "count_all" DESC, 2

SELECT SUM("purchase"."total") FROM "purchase" WHERE "purchase"."placed_at" BETWEEN $1 AND $2
-- $ "2024-03-01", "2024-04-01"

SELECT DISTINCT "purchase"."id", "purchase"."placed_at" AS alias_0 FROM "purchase" INNER JOIN "purchase_line" ON "purchase_line"."purchase_id" = "purchase"."id" ORDER BY "purchase"."placed_at" DESC LIMIT $1 OFFSET $2
-- $ 10, 2

INSERT INTO "product" ("sku","name","price","stock") VALUES ('SKU-0001', 'R1', 1.5, 1), ('SKU-7777', 'R2', 2.5, 2) ON CONFLICT ("sku") DO UPDATE SET updated_at=(CASE WHEN ("product"."name" IS NOT DISTINCT FROM excluded."name" AND "product"."price" IS NOT DISTINCT FROM excluded."price") THEN "product".updated_at ELSE CURRENT_TIMESTAMP END),"name"=excluded."name","price"=excluded."price" RETURNING "id"

INSERT INTO "purchase" ("account_id","user_id","external_id","total") VALUES (1, 3, '11111111-1111-1111-1111-111111111111', 5), (1, 4, '22222222-2222-2222-2222-222222222222', 6) ON CONFLICT ("account_id","external_id") DO UPDATE SET "total"=excluded."total" RETURNING "id" > 0 AS ok, "total"

INSERT INTO "purchase" ("account_id", "user_id", "status", "total", "placed_at") VALUES ($1, $2, $3, $4, $5) RETURNING "id"
-- $ 1, 3, "paid", "10.5", "2024-07-01"

UPDATE "product" SET "stock" = COALESCE("product"."stock", 0) + $1, "lock_version" = $2 WHERE "product"."id" = $3 AND "product"."lock_version" = $4
-- $ 1, 1, 3, 0

UPDATE "purchase" SET "status" = $1 WHERE "purchase"."id" = $2
-- $ "shipped", 3

UPDATE "purchase" SET "status" = 'shipped' WHERE "purchase"."id" IN (SELECT "purchase"."id" FROM "purchase" WHERE "purchase"."status" = 'paid' ORDER BY "purchase"."id" ASC LIMIT 3)

DELETE FROM "purchase" WHERE "purchase"."id" = $1
-- $ 3

SELECT "product".* FROM "product" WHERE (price > 10) AND (created_at <= now()) ORDER BY "product"."id" LIMIT 3

SELECT "app_user".* FROM "app_user" WHERE "app_user"."deleted_at" IS NULL AND (tags @> ARRAY['t1']) ORDER BY "app_user"."full_name" ASC, "app_user"."id" LIMIT 5

WITH "popular" AS (SELECT "purchase_line"."product_id", COUNT(*) AS c FROM "purchase_line" GROUP BY "purchase_line"."product_id") SELECT "product"."id", popular.c FROM "product" INNER JOIN "popular" ON popular.product_id = "product"."id" ORDER BY popular.c DESC, 1 LIMIT 5

SELECT "good_jobs".* FROM "job" "good_jobs" WHERE "good_jobs"."id" IN (WITH "rows" AS MATERIALIZED ( SELECT "job"."id", "job"."queue" FROM "job" WHERE "job"."state" = 'available' ORDER BY id LIMIT 4 ) SELECT "rows"."id" FROM "rows" WHERE pg_try_advisory_lock(('x' || substr(md5('good_jobs' || '-' || "rows"."id"::text), 1, 16))::bit(64)::bigint) LIMIT 1) ORDER BY id

SELECT "job".* FROM "job" WHERE "job"."queue" = 'default' ORDER BY id LIMIT 3 FOR UPDATE SKIP LOCKED

SET LOCAL lock_timeout = '5s'

SELECT pg_notify('good_job', '{"queue":"default"}')

LISTEN "good_job"

TRUNCATE TABLE "job" RESTART IDENTITY CASCADE

SET CONSTRAINTS ALL DEFERRED

-- prisma

SELECT "public"."app_user"."id", "public"."app_user"."email", "public"."app_user"."full_name" FROM "public"."app_user" WHERE ("public"."app_user"."id" = $1 AND 1=1) LIMIT $2 OFFSET $3
-- $ 3, 1, 0

SELECT "t0"."id", "t0"."email", "t0"."full_name", "User_posts"."__prisma_data__" AS "posts" FROM "public"."app_user" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t3"."__prisma_data__" FROM (SELECT JSONB_BUILD_OBJECT('id', "t2"."id", 'title', "t2"."title", 'published', "t2"."published") AS "__prisma_data__" FROM (SELECT "t1".* FROM "public"."Post" AS "t1" WHERE "t0"."id" = "t1"."authorId" /* root select */) AS "t2" /* inner select */) AS "t3" /* middle select */) AS "t4" /* outer select */) AS "User_posts" ON TRUE ORDER BY "t0"."id"

SELECT "t1"."id", "t1"."total", "User"."__prisma_data__" AS "user" FROM "public"."purchase" AS "t1" LEFT JOIN LATERAL (SELECT JSONB_BUILD_OBJECT('id', "t2"."id", 'email', "t2"."email", 'full_name', "t2"."full_name") AS "__prisma_data__" FROM (SELECT "t0".* FROM "public"."app_user" AS "t0" WHERE "t1"."user_id" = "t0"."id" LIMIT $1) AS "t2") AS "User" ON TRUE ORDER BY "t1"."id" LIMIT 10
-- $ 1

SELECT COUNT(*), SUM("total"), MIN("placed_at") FROM (SELECT "public"."purchase"."id", "public"."purchase"."total", "public"."purchase"."placed_at" FROM "public"."purchase" WHERE "public"."purchase"."status" = CAST($1::text AS "public"."order_status") OFFSET $2) AS "sub"
-- $ "paid", 0

INSERT INTO "public"."Post" ("title","authorId","published","viewCount") VALUES ($1,$2,$3,$4) RETURNING "public"."Post"."id", "public"."Post"."title", "public"."Post"."authorId"
-- $ "hi", 1, true, 0

UPDATE "public"."Post" SET "viewCount" = ("public"."Post"."viewCount" + $1) WHERE ("public"."Post"."id" = $2 AND 1=1) RETURNING "public"."Post"."id", "public"."Post"."viewCount"
-- $ 1, 2

SELECT "public"."Post"."id" FROM "public"."Post" WHERE ("public"."Post"."id") IN (SELECT "t1"."A" FROM "public"."_PostToTag" AS "t1" INNER JOIN "public"."Tag" AS "j1" ON ("j1"."id") = ("t1"."B") WHERE ("j1"."name" ILIKE $1 AND "t1"."A" IS NOT NULL)) ORDER BY "public"."Post"."id" ASC LIMIT $2 OFFSET $3
-- $ "%w%", 10, 0

SELECT version()

SELECT EXISTS(SELECT 1 FROM pg_namespace WHERE nspname = $1), version(), current_setting('server_version_num')::integer as numeric_version
-- $ "public"

SELECT namespace.nspname as schema_name, tbl.relname as table_name, (tbl.relhassubclass and tbl.relkind = 'p') as is_partition, (tbl.relhassubclass and tbl.relkind = 'r') as has_subclass, tbl.relrowsecurity as has_row_level_security, reloptions, obj_description(tbl.oid, 'pg_class') as description FROM pg_class AS tbl INNER JOIN pg_namespace AS namespace ON namespace.oid = tbl.relnamespace WHERE (tbl.relkind = 'r' AND tbl.relispartition = 'f') OR (tbl.relkind = 'p') AND namespace.nspname = ANY ( $1 ) ORDER BY schema_name, table_name
-- $ "{public}"

SELECT oid.namespace, info.table_name, info.column_name, format_type(att.atttypid, att.atttypmod) as formatted_type, info.numeric_precision, info.numeric_scale, info.numeric_precision_radix, info.datetime_precision, info.data_type, info.udt_schema as type_schema_name, info.udt_name as full_data_type, pg_get_expr(attdef.adbin, attdef.adrelid) AS column_default, info.is_nullable, info.is_identity, info.character_maximum_length, col_description(att.attrelid, ordinal_position) AS description FROM information_schema.columns info JOIN pg_attribute att ON att.attname = info.column_name JOIN (SELECT pg_class.oid, relname, pg_namespace.nspname as namespace FROM pg_class JOIN pg_namespace on pg_namespace.oid = pg_class.relnamespace AND pg_namespace.nspname = ANY ( $1 ) WHERE reltype > 0) as oid on oid.oid = att.attrelid AND relname = info.table_name AND namespace = info.table_schema LEFT JOIN pg_attrdef attdef ON attdef.adrelid = att.attrelid AND attdef.adnum = att.attnum AND table_schema = namespace WHERE table_schema = ANY ( $1 ) ORDER BY namespace, table_name, ordinal_position
-- $ "{public}"

SELECT con.oid AS "con_id", child.relname, att2.attname AS "child_column", cl.relname AS "parent_table", att.attname AS "parent_column", con.confdeltype, con.confupdtype, conname AS constraint_name, child, parent, table_name, namespace FROM (SELECT unnest(con1.conkey) AS parent, unnest(con1.confkey) AS child, cl.relname AS table_name, ns.nspname AS namespace, generate_subscripts(con1.conkey, 1) AS colidx, con1.oid, con1.confrelid, con1.conrelid, con1.conname, con1.confdeltype, con1.confupdtype FROM pg_class cl join pg_constraint con1 on con1.conrelid = cl.oid join pg_namespace ns on cl.relnamespace = ns.oid WHERE ns.nspname = ANY ( $1 ) and con1.contype = 'f' ORDER BY colidx) con JOIN pg_attribute att on att.attrelid = con.confrelid and att.attnum = con.child JOIN pg_class cl on cl.oid = con.confrelid JOIN pg_attribute att2 on att2.attrelid = con.conrelid and att2.attnum = con.parent CROSS JOIN LATERAL (SELECT con.table_name AS relname) AS child ORDER BY con_id, con.colidx
-- $ "{public}"

WITH rawindex AS (SELECT indrelid, indexrelid, indisunique, indisprimary, unnest(indkey) AS indkeyid, generate_subscripts(indkey, 1) AS indkeyidx, unnest(indclass) AS indclass, unnest(indoption) AS indoption FROM pg_index WHERE indpred IS NULL AND NOT indisexclusion) SELECT schemainfo.nspname AS namespace, indexinfo.relname AS index_name, tableinfo.relname AS table_name, columninfo.attname AS column_name, rawindex.indisunique AS is_unique, rawindex.indisprimary AS is_primary_key, rawindex.indkeyidx AS column_index, opclass.opcname AS opclass, opclass.opcdefault AS opcdefault, indexaccess.amname AS index_algo, CASE rawindex.indoption & 1 WHEN 1 THEN 'DESC' ELSE 'ASC' END AS column_order FROM rawindex INNER JOIN pg_class AS tableinfo ON tableinfo.oid = rawindex.indrelid INNER JOIN pg_class AS indexinfo ON indexinfo.oid = rawindex.indexrelid INNER JOIN pg_namespace AS schemainfo ON schemainfo.oid = tableinfo.relnamespace LEFT JOIN pg_attribute AS columninfo ON columninfo.attrelid = tableinfo.oid AND columninfo.attnum = rawindex.indkeyid INNER JOIN pg_am AS indexaccess ON indexaccess.oid = indexinfo.relam LEFT JOIN pg_opclass AS opclass ON opclass.oid = rawindex.indclass WHERE schemainfo.nspname = 'public' ORDER BY 1, 2, 3, 7

-- typeorm, sequelize, drizzle, knex

SELECT "User"."id" AS "User_id", "User"."email" AS "User_email", "User"."full_name" AS "User_full_name", "User__User_orders"."id" AS "User__User_orders_id", "User__User_orders"."total" AS "User__User_orders_total" FROM "app_user" "User" LEFT JOIN "purchase" "User__User_orders" ON "User__User_orders"."user_id"="User"."id" WHERE ( ("User"."account_id" = $1) ) AND ( "User"."deleted_at" IS NULL ) ORDER BY "User"."id" ASC, 4
-- $ 1

SELECT DISTINCT "distinctAlias"."User_id" AS "ids_User_id", "distinctAlias"."User_full_name" FROM (SELECT "User"."id" AS "User_id", "User"."full_name" AS "User_full_name", "o"."total" AS "o_total" FROM "app_user" "User" LEFT JOIN "purchase" "o" ON "o"."user_id"="User"."id") "distinctAlias" ORDER BY "distinctAlias"."User_full_name" ASC, "User_id" ASC LIMIT 10

SELECT COUNT(DISTINCT("User"."id")) AS "cnt" FROM "app_user" "User" LEFT JOIN "purchase" "o" ON "o"."user_id"="User"."id"

INSERT INTO "purchase"("id", "account_id", "user_id", "status", "total", "currency", "note", "meta", "external_id", "placed_at") VALUES (DEFAULT, $1, $2, $3, $4, DEFAULT, $5, DEFAULT, DEFAULT, DEFAULT) RETURNING "id", "status", "total", "currency", "placed_at"
-- $ 1, 2, "draft", "3.3", "typeorm"

SELECT * FROM current_schema()

SELECT * FROM current_database()

SELECT "table_schema", "table_name" FROM "information_schema"."tables" WHERE "table_schema" = 'public' AND "table_name" = 'app_user'

SELECT columns.*, pg_catalog.col_description(('"' || table_catalog || '"."' || table_schema || '"."' || table_name || '"')::regclass::oid, ordinal_position) AS description, ('"' || "udt_schema" || '"."' || "udt_name" || '"')::"regtype"::text AS "regtype", pg_catalog.format_type("col_attr"."atttypid", "col_attr"."atttypmod") AS "format_type" FROM "information_schema"."columns" LEFT JOIN "pg_catalog"."pg_attribute" AS "col_attr" ON "col_attr"."attname" = "columns"."column_name" AND "col_attr"."attrelid" = ( SELECT "cls"."oid" FROM "pg_catalog"."pg_class" AS "cls" LEFT JOIN "pg_catalog"."pg_namespace" AS "ns" ON "ns"."oid" = "cls"."relnamespace" WHERE "cls"."relname" = "columns"."table_name" AND "ns"."nspname" = "columns"."table_schema" ) WHERE ("table_schema" = 'public' AND "table_name" = 'purchase') ORDER BY ordinal_position

SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "cnst"."conname" AS "constraint_name", pg_get_constraintdef("cnst"."oid") AS "expression", CASE "cnst"."contype" WHEN 'p' THEN 'PRIMARY' WHEN 'u' THEN 'UNIQUE' WHEN 'c' THEN 'CHECK' WHEN 'x' THEN 'EXCLUDE' END AS "constraint_type", "a"."attname" AS "column_name" FROM "pg_constraint" "cnst" INNER JOIN "pg_class" "t" ON "t"."oid" = "cnst"."conrelid" INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "cnst"."connamespace" LEFT JOIN "pg_attribute" "a" ON "a"."attrelid" = "cnst"."conrelid" AND "a"."attnum" = ANY ("cnst"."conkey") WHERE "t"."relkind" IN ('r', 'p') AND (("ns"."nspname" = 'public' AND "t"."relname" = 'app_user')) ORDER BY 3, 6

SELECT "id", "email", "full_name" AS "fullName", "date_joined" AS "createdAt" FROM "app_user" AS "User" WHERE "User"."is_active" = true AND ("User"."full_name" IS NOT NULL) ORDER BY "User"."date_joined" DESC, "User"."id" LIMIT 20 OFFSET 0

SELECT count("User"."id") AS "count" FROM "app_user" AS "User" LEFT OUTER JOIN "purchase" AS "Orders" ON "User"."id" = "Orders"."user_id" AND "Orders"."status" = 'paid'

SELECT "User".*, "Orders"."id" AS "Orders.id", "Orders"."total" AS "Orders.total" FROM (SELECT "User"."id", "User"."email" FROM "app_user" AS "User" WHERE ( SELECT "user_id" FROM "purchase" AS "Orders" WHERE ("Orders"."status" = 'paid' AND "Orders"."user_id" = "User"."id") LIMIT 1 ) IS NOT NULL ORDER BY "User"."id" LIMIT 5) AS "User" INNER JOIN "purchase" AS "Orders" ON "User"."id" = "Orders"."user_id" AND "Orders"."status" = 'paid' ORDER BY "User"."id", 3

INSERT INTO "product" ("id","sku","name","price") VALUES (DEFAULT,$1,$2,$3) RETURNING "id","sku","name","category_id","price","stock","attributes","labels"
-- $ "SKU-X1", "seq", "1.0"

SELECT DISTINCT tc.table_schema, tc.constraint_name, tc.table_name, kcu.column_name FROM information_schema.table_constraints AS tc JOIN information_schema.key_column_usage AS kcu ON tc.constraint_name = kcu.constraint_name WHERE constraint_type = 'PRIMARY KEY' AND tc.table_name = 'purchase'

SELECT i.relname AS name, ix.indisprimary AS primary, ix.indisunique AS unique, ix.indkey AS indkey, array_agg(a.attnum) as column_indexes, array_agg(a.attname) AS column_names, pg_get_indexdef(ix.indexrelid) AS definition FROM pg_class t, pg_class i, pg_index ix, pg_attribute a WHERE t.oid = ix.indrelid AND i.oid = ix.indexrelid AND a.attrelid = t.oid AND t.relkind = 'r' and t.relname = 'product' GROUP BY i.relname, ix.indexrelid, ix.indisprimary, ix.indisunique, ix.indkey ORDER BY i.relname

SHOW SERVER_VERSION

select "id", "email", "full_name", (select coalesce(json_agg(json_build_array("app_user_orders"."id", "app_user_orders"."total")), '[]'::json) as "data" from (select * from "purchase" "app_user_orders" where "app_user_orders"."user_id" = "app_user"."id" order by "app_user_orders"."id" limit $1) "app_user_orders") as "orders" from "app_user" where "app_user"."account_id" = $2 order by "id" limit $3
-- $ 5, 1, 10

select "app_user"."id", "app_user"."full_name", "app_user_orders"."data" as "orders" from "app_user" "app_user" left join lateral (select coalesce(json_agg(json_build_array("app_user_orders"."id", "app_user_orders"."status")), '[]'::json) as "data" from "purchase" "app_user_orders" where "app_user_orders"."user_id" = "app_user"."id") "app_user_orders" on true order by 1

insert into "product" ("id", "sku", "name", "price") values (default, $1, $2, default) on conflict ("sku") do update set "name" = excluded.name, "stock" = "product"."stock" + 1 returning "id", "sku", "stock"
-- $ "SKU-0002", "drizzle"

select version, hash from "public"."schema_migrations" cross join (values (1, now())) v(hash, created_at) order by version desc limit 1

select * from information_schema.tables where table_name = $1 and table_schema = current_schema()
-- $ "knex_migrations"

select "purchase".*, "app_user"."email" from "purchase" inner join "app_user" on "purchase"."user_id" = "app_user"."id" where "purchase"."status" in ($1, $2) order by "purchase"."id" asc limit $3
-- $ "paid", "draft", 5

with "recent" as (select * from "purchase" where "placed_at" > $1) select "status", count(*) from "recent" group by "status" order by 1
-- $ "2024-03-05"

select "id", to_jsonb("purchase".*) as doc from "purchase" order by "id" limit 2
