-- django

SELECT "app_user"."id", "app_user"."account_id", "app_user"."email", "app_user"."full_name", "app_user"."is_active" FROM "app_user" WHERE ("app_user"."account_id" = $1 AND "app_user"."is_active") ORDER BY "app_user"."date_joined" DESC, "app_user"."id" DESC LIMIT 21
-- $ 1

SELECT "app_user"."id", "app_user"."account_id", "app_user"."email", "app_user"."full_name", "app_user"."phone", "app_user"."salary", "app_user"."birth_date", "app_user"."preferences" FROM "app_user" WHERE "app_user"."id" = 3 LIMIT 21

SELECT COUNT(*) AS "__count" FROM "purchase"

SELECT COUNT(*) FROM (SELECT DISTINCT "purchase"."user_id" AS "col1" FROM "purchase" WHERE "purchase"."status" = 'paid'::order_status) subquery

SELECT 1 AS "a" FROM "purchase" WHERE ("purchase"."id" = 7) LIMIT 1

SELECT "app_user"."account_id", COUNT("app_user"."id") AS "n", AVG("app_user"."score") AS "avg_score", MAX("app_user"."last_login") AS "last" FROM "app_user" GROUP BY "app_user"."account_id" HAVING COUNT("app_user"."id") > 2 ORDER BY 2 DESC

SELECT "account"."id", "account"."name", COUNT("purchase"."id") FILTER (WHERE "purchase"."status" = 'paid') AS "paid", COALESCE(SUM("purchase"."total") FILTER (WHERE "purchase"."status" = 'shipped'), '0') AS "shipped_total" FROM "account" LEFT OUTER JOIN "purchase" ON ("account"."id" = "purchase"."account_id") GROUP BY "account"."id" ORDER BY "account"."id" ASC

SELECT "app_user"."id", "app_user"."full_name", (SELECT U0."placed_at" FROM "purchase" U0 WHERE U0."user_id" = ("app_user"."id") ORDER BY U0."placed_at" DESC LIMIT 1) AS "last_order" FROM "app_user" ORDER BY "app_user"."id" ASC LIMIT 10

SELECT "app_user"."id", "app_user"."email" FROM "app_user" WHERE EXISTS(SELECT 1 AS "a" FROM "purchase" U0 WHERE (U0."status" IN ('paid', 'shipped') AND U0."user_id" = ("app_user"."id")) LIMIT 1) ORDER BY "app_user"."id"

SELECT "app_user"."id" FROM "app_user" WHERE NOT (EXISTS(SELECT 1 AS "a" FROM "app_user_groups" U1 WHERE (U1."group_id" = 2 AND U1."user_id" = ("app_user"."id")) LIMIT 1)) ORDER BY 1

SELECT "purchase"."id", "purchase"."total", ROW_NUMBER() OVER (PARTITION BY "purchase"."user_id" ORDER BY "purchase"."placed_at" DESC) AS "rn", LAG("purchase"."total", 1) OVER (PARTITION BY "purchase"."user_id" ORDER BY "purchase"."placed_at") AS "prev" FROM "purchase" ORDER BY "purchase"."id"

SELECT * FROM (SELECT "purchase"."id" AS "col1", "purchase"."user_id" AS "col2", ROW_NUMBER() OVER (PARTITION BY "purchase"."user_id" ORDER BY "purchase"."placed_at" DESC) AS "qual0" FROM "purchase") "qualify" WHERE "qual0" = 1 ORDER BY "col1"

SELECT "product"."id", "product"."name" FROM "product" WHERE ("product"."attributes" -> 'color') = '"red"'::jsonb ORDER BY "product"."id"

SELECT "product"."id" FROM "product" WHERE ("product"."attributes" ->> 'color')::text LIKE 'bl%' ORDER BY 1

SELECT "product"."id" FROM "product" WHERE "product"."attributes" @> '{"color": "green"}'::jsonb ORDER BY 1

SELECT "product"."id" FROM "product" WHERE ("product"."attributes" ? 'size' AND ("product"."attributes" #> '{dims,0}')::int > 4) ORDER BY 1

SELECT "app_user"."id", ("app_user"."preferences" #>> '{mail,weekly}') AS "weekly" FROM "app_user" WHERE ("app_user"."preferences" -> 'theme') = '"dark"' ORDER BY "app_user"."id"

SELECT "product"."id" FROM "product" WHERE ("product"."labels")::varchar(20)[] @> ARRAY['l1']::varchar(20)[] ORDER BY 1

SELECT "product"."id", CASE WHEN "product"."labels" IS NULL THEN NULL ELSE coalesce(array_length("product"."labels", 1), 0) END AS "n" FROM "product" WHERE "product"."labels" && ARRAY['l0','l2']::text[] ORDER BY 1

SELECT "product"."id", ts_rank(("product"."search"), (plainto_tsquery('english'::regconfig, 'red widget'))) AS "rank" FROM "product" WHERE ("product"."search") @@ (plainto_tsquery('english'::regconfig, 'red widget')) ORDER BY "rank" DESC, 1

SELECT "app_user"."id" FROM "app_user" WHERE to_tsvector('english'::regconfig, COALESCE("app_user"."bio", '')) @@ (websearch_to_tsquery('english'::regconfig, 'running -cycling')) ORDER BY 1 LIMIT 3

SELECT "app_user"."id", "app_user"."full_name" FROM "app_user" WHERE UPPER("app_user"."bio"::text) LIKE UPPER('%database%') ORDER BY 1

SELECT "product"."id", SIMILARITY("product"."name", 'red widget') AS "similarity" FROM "product" WHERE "product"."name" % 'red widget' ORDER BY 2 DESC, 1

SELECT "job"."id", "job"."queue", "job"."payload" FROM "job" WHERE ("job"."state" = 'available') ORDER BY "job"."id" ASC LIMIT 1 FOR UPDATE OF "job" SKIP LOCKED

SELECT "purchase"."id", "purchase"."total", "account"."id", "account"."name" FROM "purchase" INNER JOIN "account" ON ("purchase"."account_id" = "account"."id") WHERE "purchase"."id" = 3 FOR UPDATE OF "purchase"

SELECT "purchase"."id", "purchase"."total" FROM "purchase" WHERE "purchase"."id" = 3 LIMIT 21 FOR UPDATE

SELECT "app_user"."id", "app_user"."is_active" FROM "app_user" WHERE "app_user"."id" = 3 LIMIT 21 FOR NO KEY UPDATE

INSERT INTO "product" ("sku", "name", "category_id", "price", "stock") VALUES ('SKU-0001', 'Red', 1, '2.50', 4), ('SKU-0100', 'New', 2, '9.99', 1) ON CONFLICT("sku") DO UPDATE SET "name" = EXCLUDED."name", "price" = EXCLUDED."price" RETURNING "product"."id", "product"."sku"

UPDATE "product" SET "price" = (CASE WHEN ("product"."id" = 1) THEN 10.5 WHEN ("product"."id" = 2) THEN 11 ELSE NULL END)::numeric(10, 2), "name" = CASE WHEN ("product"."id" = 1) THEN 'a' WHEN ("product"."id" = 2) THEN 'b' ELSE NULL END WHERE "product"."id" IN (1, 2)

UPDATE "purchase" SET "note" = CASE WHEN ("purchase"."id" = 3) THEN 'x' WHEN ("purchase"."id" = 6) THEN 'y' ELSE NULL END WHERE "purchase"."id" IN (3, 6, 4)

UPDATE "purchase" SET "total" = ("purchase"."total" + 1) WHERE "purchase"."status" = 'pending'

UPDATE "app_user" SET "last_login" = '2024-07-01T00:00:00+00:00'::timestamptz WHERE "app_user"."id" = 5

INSERT INTO "purchase" ("account_id", "user_id", "status", "total", "currency", "note", "meta", "external_id", "placed_at") VALUES (1, 3, 'draft', '12.00', 'EUR', NULL, '{"a": 1}'::jsonb, NULL, '2024-07-01 00:00:00+00:00'::timestamptz) RETURNING "purchase"."id"

DELETE FROM "purchase_line" WHERE "purchase_line"."purchase_id" IN (3, 6)

DELETE FROM "purchase" WHERE "purchase"."id" IN (SELECT U0."id" FROM "purchase" U0 INNER JOIN "account" U1 ON (U0."account_id" = U1."id") WHERE U1."slug" = 'two')

DELETE FROM "django_session" WHERE "django_session"."expire_date" < '2024-01-01'::timestamptz

SELECT "django_session"."session_key", "django_session"."session_data", "django_session"."expire_date" FROM "django_session" WHERE ("django_session"."expire_date" > '2024-01-01T00:00:00+00:00'::timestamptz AND "django_session"."session_key" = 'abc') LIMIT 21

SELECT DATE_TRUNC('month', "purchase"."placed_at" AT TIME ZONE 'Europe/Berlin') AS "month", COUNT("purchase"."id") AS "n", SUM("purchase"."total") AS "sum" FROM "purchase" GROUP BY 1 ORDER BY 1 ASC

SELECT DISTINCT ("app_user"."date_joined" AT TIME ZONE 'UTC')::date AS "d" FROM "app_user" WHERE EXTRACT(ISODOW FROM "app_user"."date_joined" AT TIME ZONE 'UTC') = 5

SELECT STRING_AGG("app_user"."full_name", ', ' ORDER BY "app_user"."id") AS "names", ARRAY_AGG("app_user"."id" ORDER BY "app_user"."id" DESC) AS "ids", JSONB_AGG(JSONB_BUILD_OBJECT(('id')::text, "app_user"."id")) AS "j", BOOL_OR("app_user"."is_staff") AS "any" FROM "app_user" WHERE "app_user"."account_id" = 1

SELECT ("app_user"."email")::text AS "e" FROM "app_user" UNION (SELECT "auth_group"."name" FROM "auth_group") ORDER BY 1 ASC LIMIT 5

SELECT "app_user"."id", CONCAT(("app_user"."full_name")::text, (CONCAT((' <')::text, (CONCAT(("app_user"."email")::text, ('>')::text))::text))::text) AS "display" FROM "app_user" ORDER BY "app_user"."id" ASC LIMIT 3

SELECT "app_user"."id", "app_user"."email" FROM "app_user" WHERE "app_user"."id" IN (SELECT U0."user_id" AS "user_id" FROM "purchase" U0 WHERE U0."total" > (SELECT AVG(V0."total") AS "a" FROM "purchase" V0)) ORDER BY 1

SELECT "event"."id", "event"."kind" FROM "event" WHERE "event"."at" BETWEEN '2024-02-01T00:00:00+00:00'::timestamptz AND '2024-05-01T00:00:00+00:00'::timestamptz ORDER BY 1 LIMIT 5

SELECT "booking"."id" FROM "booking" WHERE "booking"."during" && '[2024-06-01 09:30:00+00:00,2024-06-01 09:40:00+00:00)'::tstzrange

SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END, obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1

SELECT a.attname AS column_name, NOT (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)) AS is_nullable, pg_get_expr(ad.adbin, ad.adrelid) AS column_default, CASE WHEN collname = 'default' THEN NULL ELSE collname END AS collation, a.attidentity != '' AS is_autofield, col_description(a.attrelid, a.attnum) AS column_comment FROM pg_attribute a LEFT JOIN pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum LEFT JOIN pg_collation co ON a.attcollation = co.oid JOIN pg_type t ON a.atttypid = t.oid JOIN pg_class c ON a.attrelid = c.oid JOIN pg_namespace n ON c.relnamespace = n.oid WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND c.relname = 'app_user' AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid)

SELECT c.conname, array(SELECT attname FROM unnest(c.conkey) WITH ORDINALITY cols(colid, arridx) JOIN pg_attribute AS ca ON cols.colid = ca.attnum WHERE ca.attrelid = c.conrelid ORDER BY cols.arridx), c.contype, (SELECT fkc.relname || '.' || fka.attname FROM pg_attribute AS fka JOIN pg_class AS fkc ON fka.attrelid = fkc.oid WHERE fka.attrelid = c.confrelid AND fka.attnum = c.confkey[1]), cl.reloptions FROM pg_constraint AS c JOIN pg_class AS cl ON c.conrelid = cl.oid WHERE cl.relname = 'purchase' AND pg_catalog.pg_table_is_visible(cl.oid) ORDER BY 1

SELECT indexname, array_agg(attname ORDER BY arridx), indisunique, indisprimary, array_agg(ordering ORDER BY arridx), amname, exprdef, s2.attoptions FROM (SELECT c2.relname as indexname, idx.*, attr.attname, am.amname, CASE WHEN idx.indexprs IS NOT NULL THEN pg_get_indexdef(idx.indexrelid) END AS exprdef, CASE am.amname WHEN 'btree' THEN CASE (option & 1) WHEN 1 THEN 'DESC' ELSE 'ASC' END END as ordering, c2.reloptions as attoptions FROM (SELECT * FROM pg_index i, unnest(i.indkey, i.indoption) WITH ORDINALITY koi(key, option, arridx)) idx LEFT JOIN pg_class c ON idx.indrelid = c.oid LEFT JOIN pg_class c2 ON idx.indexrelid = c2.oid LEFT JOIN pg_am am ON c2.relam = am.oid LEFT JOIN pg_attribute attr ON attr.attrelid = c.oid AND attr.attnum = idx.key WHERE c.relname = 'app_user' AND pg_catalog.pg_table_is_visible(c.oid)) s2 GROUP BY indexname, indisunique, indisprimary, amname, exprdef, attoptions ORDER BY 1

SELECT s.relname AS sequence_name, a.attname AS colname FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass JOIN pg_attribute a ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum JOIN pg_class tbl ON tbl.oid = d.refobjid AND tbl.relname = 'purchase' AND pg_catalog.pg_table_is_visible(tbl.oid) WHERE s.relkind = 'S'

SELECT "django_migrations"."id", "django_migrations"."app", "django_migrations"."name", "django_migrations"."applied" FROM "django_migrations"

SELECT pg_get_serial_sequence('"purchase"','id')

SELECT set_config('TimeZone', 'UTC', false)

SET default_transaction_isolation TO 'read committed'

DECLARE "_django_curs_139_sync_1" NO SCROLL CURSOR WITH HOLD FOR SELECT "purchase"."id", "purchase"."note" FROM "purchase" ORDER BY "purchase"."id";;
FETCH FORWARD 5 FROM "_django_curs_139_sync_1";;
FETCH FORWARD 100 FROM "_django_curs_139_sync_1";;
CLOSE "_django_curs_139_sync_1"

SAVEPOINT "s139_x1";;
INSERT INTO "auth_group" ("name") VALUES ('viewers') RETURNING "auth_group"."id";;
RELEASE SAVEPOINT "s139_x1"

SELECT "app_user"."email", COUNT("app_user"."id") AS "c" FROM "app_user" GROUP BY "app_user"."email" ORDER BY "c" DESC, 1 LIMIT 3

SELECT "purchase"."status", "purchase"."account_id", SUM("purchase"."total") AS "t" FROM "purchase" INNER JOIN "app_user" ON ("purchase"."user_id" = "app_user"."id") WHERE "app_user"."is_active" GROUP BY "purchase"."status", "purchase"."account_id" ORDER BY 1, 2

SELECT "purchase"."id", "app_user"."id", "app_user"."email", "app_user"."full_name" FROM "purchase" LEFT OUTER JOIN "app_user" ON ("purchase"."user_id" = "app_user"."id") ORDER BY "app_user"."full_name" ASC, "purchase"."id" LIMIT 25

SELECT "purchase_line"."id", "purchase_line"."amount" FROM "purchase_line" WHERE "purchase_line"."purchase_id" IN (SELECT U0."id" FROM "purchase" U0 WHERE U0."note" LIKE 'note 3%') ORDER BY 1

SELECT AVG("__col1") FROM (SELECT COUNT("purchase_line"."id") AS "__col1" FROM "purchase" LEFT OUTER JOIN "purchase_line" ON ("purchase"."id" = "purchase_line"."purchase_id") GROUP BY "purchase"."id") subquery

SELECT "purchase"."id", "purchase"."account_id", "purchase"."total", COUNT("purchase_line"."id") AS "lines" FROM "purchase" LEFT OUTER JOIN "purchase_line" ON ("purchase"."id" = "purchase_line"."purchase_id") GROUP BY "purchase"."id" ORDER BY "purchase"."id"

SELECT "app_user"."id", "app_user"."email", COUNT("purchase"."id") AS "orders" FROM "app_user" LEFT OUTER JOIN "purchase" ON ("app_user"."id" = "purchase"."user_id") GROUP BY "app_user"."id" ORDER BY "orders" DESC, "app_user"."id" LIMIT 5
