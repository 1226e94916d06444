-- object mappers in the way of Django

SELECT "people"."id", "people"."name", "people"."email" FROM "people" WHERE "people"."is_active" ORDER BY "people"."id" ASC LIMIT 21

SELECT COUNT(*) AS "__count" FROM "people"

SELECT (1) AS "a" FROM "people" WHERE "people"."tenant_id" = 1 LIMIT 1

SELECT "tickets"."id", "tickets"."subject", "people"."id", "people"."name" FROM "tickets" INNER JOIN "people" ON ("tickets"."person_id" = "people"."id") WHERE ("tickets"."state" = 'open' AND "people"."is_active") ORDER BY "tickets"."opened_at" DESC, "tickets"."id" ASC LIMIT 10 OFFSET 0

SELECT "people"."id", "people"."name", COUNT("tickets"."id") AS "n" FROM "people" LEFT OUTER JOIN "tickets" ON ("people"."id" = "tickets"."person_id") GROUP BY "people"."id" HAVING COUNT("tickets"."id") > 0 ORDER BY "n" DESC, "people"."id"

SELECT "people"."id", "people"."name", "people"."email", "people"."phone", "people"."born", COUNT("tickets"."id") AS "n" FROM "people" LEFT OUTER JOIN "tickets" ON ("people"."id" = "tickets"."person_id") GROUP BY "people"."id"

SELECT "people"."name" FROM "people" WHERE EXISTS(SELECT 1 AS "a" FROM "tickets" U0 WHERE (U0."person_id" = ("people"."id") AND U0."state" = 'open') LIMIT 1)

SELECT "products"."id", "products"."title", CASE WHEN "products"."stock" > 3 THEN 'plenty' WHEN "products"."stock" = 0 THEN 'none' ELSE 'few' END AS "level" FROM "products" ORDER BY 1

SELECT AVG("products"."price") AS "price__avg", MAX("products"."price") AS "price__max" FROM "products"

SELECT "products"."id" FROM "products" WHERE UPPER("products"."title"::text) LIKE UPPER('%RED%') ORDER BY 1

SELECT "products"."id" FROM "products" WHERE "products"."title"::text LIKE 'red%' AND NOT ("products"."id" IN (1, 2, 3)) ORDER BY "products"."id" DESC

SELECT DATE_TRUNC('day', "sales"."sold_at" AT TIME ZONE 'UTC') AS "day", SUM("sales"."amount") AS "total" FROM "sales" GROUP BY 1 ORDER BY 1 ASC

SELECT DISTINCT EXTRACT(YEAR FROM "sales"."sold_at" AT TIME ZONE 'Europe/Berlin') AS "y" FROM "sales" ORDER BY 1

SELECT "products"."id" FROM "products" WHERE ("products"."attributes" -> 'color') = '"red"'::jsonb ORDER BY 1

SELECT "products"."id" FROM "products" WHERE ("products"."attributes" #>> '{tags,0}') = 'x' AND "products"."attributes" @> '{"size": 3}'

SELECT "products"."id" FROM "products" WHERE "products"."attributes" ? 'color' AND "products"."attributes" ?| ARRAY['size', 'weight'] ORDER BY 1

SELECT "products"."id", "products"."price" * 2 AS "double", COALESCE("products"."weight", 0.0) AS "w" FROM "products" WHERE "products"."price" BETWEEN 5 AND 20 ORDER BY "products"."price"

SELECT "products"."id", ROW_NUMBER() OVER (ORDER BY "products"."price" DESC) AS "rank" FROM "products"

SELECT "sales"."region", SUM("sales"."amount") FILTER (WHERE "sales"."channel" = 'web') AS "web" FROM "sales" GROUP BY "sales"."region" ORDER BY 1

SELECT "products"."id" FROM "products" WHERE "products"."id" IN (SELECT U0."product_id" FROM "sales" U0 WHERE U0."amount" > 50) ORDER BY 1

SELECT "products"."id" FROM "products" FOR UPDATE

SELECT "jobs"."id" FROM "jobs" WHERE "jobs"."queue" = 'q1' ORDER BY "jobs"."id" LIMIT 1 FOR UPDATE SKIP LOCKED

INSERT INTO "products" ("sku", "title", "price", "stock", "attributes") VALUES ('N-1', 'new', '1.50', 0, '{}'::jsonb) RETURNING "products"."id"

INSERT INTO "product_categories" ("product_id", "category_id") VALUES (1, 1), (2, 1) ON CONFLICT DO NOTHING

INSERT INTO "settings" ("key", "value") VALUES ('a', '1') ON CONFLICT("key") DO UPDATE SET "value" = EXCLUDED."value"

UPDATE "products" SET "stock" = ("products"."stock" + 1) WHERE "products"."id" = 1

UPDATE "products" SET "title" = CASE WHEN ("products"."id" = 1) THEN 'one' WHEN ("products"."id" = 2) THEN 'two' ELSE NULL END WHERE "products"."id" IN (1, 2)

DELETE FROM "product_categories" WHERE "product_categories"."product_id" IN (1, 2)

UPDATE "tickets" SET "state" = 'closed', "closed_at" = '2026-03-01T00:00:00+00:00'::timestamptz WHERE "tickets"."id" = 1

UPDATE "tickets" SET "state" = 'closed' WHERE "tickets"."id" IN (SELECT U0."id" FROM "tickets" U0 WHERE U0."priority" = 'low')

DELETE FROM "tickets" WHERE "tickets"."id" IN (3, 7)

INSERT INTO "tickets" ("tenant_id", "person_id", "subject", "body", "priority", "state", "tags", "opened_at", "closed_at") VALUES (1, 4, 'help', 'please', 'high', 'open', '{}', '2026-03-01T10:00:00+00:00'::timestamptz, NULL) RETURNING "tickets"."id"

INSERT INTO "people" ("tenant_id", "name", "email", "phone", "is_active", "created_at", "profile") VALUES (1, 'new one', 'new@example.com', NULL, true, '2026-01-01', '{}') RETURNING "people"."id"

UPDATE "people" SET "email" = 'other@example.com', "name" = 'renamed' WHERE "people"."id" = 4

SELECT "tickets"."id", "tickets"."tags" FROM "tickets" WHERE "tickets"."tags" @> ARRAY['b']::text[] ORDER BY 1

SELECT "tickets"."id" FROM "tickets" WHERE 'b' = ANY("tickets"."tags") AND "tickets"."priority" IN ('low', 'high')

SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END, obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid)

SELECT a.attname AS column_name, NOT (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)) AS is_nullable, pg_get_expr(ad.adbin, ad.adrelid) AS column_default, co.collname FROM pg_attribute a LEFT JOIN pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum LEFT JOIN pg_collation co ON a.attcollation = co.oid JOIN pg_type t ON a.atttypid = t.oid JOIN pg_class c ON a.attrelid = c.oid WHERE c.relname = 'products' AND a.attnum > 0 AND NOT a.attisdropped AND pg_catalog.pg_table_is_visible(c.oid)

SELECT c.conname, array(SELECT attname FROM unnest(c.conkey) WITH ORDINALITY cols(colid, arridx) JOIN pg_attribute AS ca ON cols.colid = ca.attnum WHERE ca.attrelid = c.conrelid ORDER BY cols.arridx), c.contype, (SELECT fkc.relname || '.' || fka.attname FROM pg_attribute AS fka JOIN pg_class AS fkc ON fka.attrelid = fkc.oid WHERE fka.attrelid = c.confrelid AND fka.attnum = c.confkey[1]), cl.reloptions FROM pg_constraint AS c JOIN pg_class AS cl ON c.conrelid = cl.oid WHERE cl.relname = 'sales' AND pg_catalog.pg_table_is_visible(cl.oid)

SAVEPOINT "s140_x1"

RELEASE SAVEPOINT "s140_x1"

SET CONSTRAINTS ALL IMMEDIATE

SET CONSTRAINTS ALL DEFERRED

SHOW transaction_isolation

SELECT set_config('TimeZone', 'UTC', false)

-- SQLAlchemy and Alembic

select pg_catalog.version()

select current_schema()

show standard_conforming_strings

SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relname = 'products' AND pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']) AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog'

SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS format_type, (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef AS d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef) AS "default", a.attnotnull AS not_null, c.relname AS table_name, pg_catalog.col_description(c.oid, a.attnum) AS comment, a.attgenerated AS generated, (SELECT json_build_object('always', a.attidentity = 'a', 'start', s.seqstart, 'increment', s.seqincrement) FROM pg_catalog.pg_sequence AS s JOIN pg_catalog.pg_class AS sc ON sc.oid = s.seqrelid WHERE s.seqrelid = pg_get_serial_sequence(c.relname, a.attname)::regclass::oid) AS identity_options FROM pg_catalog.pg_class AS c LEFT OUTER JOIN pg_catalog.pg_attribute AS a ON c.oid = a.attrelid AND a.attnum > 0 AND NOT a.attisdropped WHERE c.relname = 'products' ORDER BY c.relname, a.attnum

SELECT cls.relname, con.conname, con.contype, pg_catalog.array_agg(CAST(att.attname AS TEXT) ORDER BY k.ord) AS cols FROM (SELECT conrelid, conname, contype, unnest(conkey) AS attnum, generate_subscripts(conkey, 1) AS ord FROM pg_catalog.pg_constraint WHERE contype = 'p') AS k JOIN pg_catalog.pg_constraint con ON con.conname = k.conname AND con.conrelid = k.conrelid JOIN pg_catalog.pg_attribute AS att ON att.attnum = k.attnum AND att.attrelid = k.conrelid JOIN pg_class cls ON cls.oid = k.conrelid WHERE cls.relname IN ('products', 'sales') GROUP BY 1, 2, 3 ORDER BY 1

SELECT t.typname AS name, pg_catalog.pg_type_is_visible(t.oid) AS visible, n.nspname AS schema, lbl.labels FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace LEFT OUTER JOIN (SELECT e.enumtypid, array_agg(CAST(e.enumlabel AS TEXT) ORDER BY e.enumsortorder) AS labels FROM pg_catalog.pg_enum e GROUP BY e.enumtypid) AS lbl ON t.oid = lbl.enumtypid WHERE t.typtype = 'e' ORDER BY n.nspname, t.typname

SELECT i.indrelid, ic.relname, i.indisunique, i.indoption, am.amname, pg_catalog.pg_get_expr(i.indpred, i.indrelid) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON i.indexrelid = ic.oid JOIN pg_catalog.pg_am am ON ic.relam = am.oid WHERE NOT i.indisprimary AND i.indrelid IN ('sales'::regclass) ORDER BY i.indrelid, ic.relname

SELECT people.id, people.name, people.email FROM people WHERE people.id = 4

SELECT anon_1.people_id, anon_1.people_name, tickets_1.id AS tickets_1_id, tickets_1.subject AS tickets_1_subject FROM (SELECT people.id AS people_id, people.name AS people_name FROM people ORDER BY people.id LIMIT 5) AS anon_1 LEFT OUTER JOIN tickets AS tickets_1 ON anon_1.people_id = tickets_1.person_id ORDER BY anon_1.people_id

SELECT products.id, products.title FROM products WHERE products.id IN (1, 2, 3) AND lower(products.title) LIKE lower('%NUMBER%') ESCAPE '/'

SELECT count(*) AS count_1 FROM (SELECT products.id AS products_id FROM products WHERE products.price > 3) AS anon_1

INSERT INTO products (sku, title, price) SELECT p0::VARCHAR, p1::VARCHAR, p2::NUMERIC FROM (VALUES ('A-1', 'a', 1, 0), ('A-2', 'b', 2, 1)) AS imp_sen(p0, p1, p2, sen_counter) ORDER BY sen_counter RETURNING products.id, products.id AS id__1

WITH recent AS (SELECT sales.product_id AS product_id, sum(sales.amount) AS total FROM sales WHERE sales.sold_at >= '2026-01-10' GROUP BY sales.product_id) SELECT products.title, recent.total FROM products JOIN recent ON products.id = recent.product_id ORDER BY recent.total DESC, products.id LIMIT 5

SELECT version_num FROM (SELECT version AS version_num FROM schema_migrations) x ORDER BY 1

-- ActiveRecord

SELECT "products".* FROM "products" WHERE "products"."id" = 1 LIMIT 1

SELECT 1 AS one FROM "products" WHERE "products"."sku" = 'SKU-1' LIMIT 1

SELECT "people".* FROM "people" ORDER BY "people"."id" ASC LIMIT 5


SELECT COUNT(DISTINCT "sales"."product_id") FROM "sales" INNER JOIN "products" ON "products"."id" = "sales"."product_id" WHERE "products"."price" > 10.0

SELECT "schema_migrations"."version" FROM "schema_migrations" ORDER BY "schema_migrations"."version" ASC

SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull, a.atttypid, a.atttypmod, c.collname, col_description(a.attrelid, a.attnum) AS comment, attidentity AS identity, attgenerated FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum LEFT JOIN pg_type t ON a.atttypid = t.oid LEFT JOIN pg_collation c ON a.attcollation = c.oid AND a.attcollation <> t.typcollation WHERE a.attrelid = '"products"'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum

SELECT t.oid, t.typname, t.typelem, t.typdelim, t.typinput, r.rngsubtype, t.typtype, t.typbasetype FROM pg_type AS t LEFT JOIN pg_range AS r ON oid = rngtypid WHERE t.typname IN ('int2', 'int4', 'int8', 'oid', 'float4', 'float8', 'numeric', 'bool', 'timestamp', 'timestamptz')

SELECT pg_try_advisory_lock(2915345346542434)

SELECT pg_advisory_unlock(2915345346542434)

SET SESSION timezone TO 'UTC'

SET standard_conforming_strings = on

SELECT max(identifier_length) FROM (SELECT 63 AS identifier_length) x

INSERT INTO "settings" ("key", "value") VALUES ('x', '"y"') ON CONFLICT ("key") DO UPDATE SET "value" = excluded."value" RETURNING "key"

-- Hibernate, EclipseLink

select p1_0.id,p1_0.price,p1_0.sku,p1_0.title from products p1_0 where p1_0.id=1

select p1_0.id,p1_0.name,t1_0.person_id,t1_0.id,t1_0.subject from people p1_0 left join tickets t1_0 on p1_0.id=t1_0.person_id where p1_0.id=4

select p1_0.id,p1_0.title from products p1_0 order by p1_0.title fetch first 10 rows only

select p1_0.id,p1_0.title from products p1_0 where p1_0.price>5 order by p1_0.id offset 5 rows fetch next 5 rows only

select count(p1_0.id) from products p1_0 where exists(select 1 from sales s1_0 where s1_0.product_id=p1_0.id)

select nextval('people_id_seq')

insert into products (price,sku,stock,title,id) values (3.5,'H-1',0,'hib',9001)

update products set price=4,stock=1,title='x' where id=1

delete from sales where id=1

select s1_0.id from sales s1_0 where s1_0.sold_at>=timestamp '2026-01-05' and s1_0.sold_at<cast('2026-01-06' as timestamp with time zone)

select t1_0.id from tickets t1_0 where t1_0.priority=cast('high' as priority) order by t1_0.id

select sum(case when s1_0.channel is null then 0 else s1_0.amount end) from sales s1_0

-- Prisma, TypeORM, Sequelize, Knex, Drizzle

SELECT "public"."products"."id", "public"."products"."title" FROM "public"."products" WHERE ("public"."products"."price" > 2 AND "public"."products"."stock" <> 0) ORDER BY "public"."products"."id" ASC LIMIT 10 OFFSET 0

SELECT "public"."people"."id", "public"."people"."name", "public"."people"."email" FROM "public"."people" WHERE ("public"."people"."tenant_id" = 1 AND 1=1) ORDER BY "public"."people"."id" ASC LIMIT 5 OFFSET 0

SELECT "public"."tickets"."id", "public"."tickets"."subject" FROM "public"."tickets" WHERE "public"."tickets"."person_id" IN (1,2,3,4)

SELECT COUNT(*) FROM (SELECT "public"."tickets"."id" FROM "public"."tickets" WHERE 1=1 OFFSET 0) AS "sub"

SELECT "t0"."id", "t0"."name", COALESCE("t1"."__prisma_data__", '[]'::jsonb) AS "tickets" FROM "public"."people" AS "t0" LEFT JOIN LATERAL (SELECT JSONB_AGG("x"."d") AS "__prisma_data__" FROM (SELECT JSONB_BUILD_OBJECT('id', "s"."id", 'subject', "s"."subject") AS "d" FROM (SELECT "a".* FROM "public"."tickets" AS "a" WHERE "t0"."id" = "a"."person_id" ORDER BY "a"."id") AS "s") AS "x") AS "t1" ON TRUE ORDER BY "t0"."id" LIMIT 3

UPDATE "public"."products" SET "stock" = 9 WHERE ("public"."products"."id" = 2 AND 1=1) RETURNING "public"."products"."id"

SELECT "Product"."id" AS "Product_id", "Product"."title" AS "Product_title" FROM "products" "Product" WHERE ((("Product"."id" = 1))) LIMIT 1

SELECT DISTINCT "distinctAlias"."P_id" AS "ids_P_id" FROM (SELECT "P"."id" AS "P_id", "S"."id" AS "S_id" FROM "products" "P" LEFT JOIN "sales" "S" ON "S"."product_id"="P"."id") "distinctAlias" ORDER BY "P_id" ASC LIMIT 3

SELECT "product"."id", "sales"."id" AS "sales.id", "sales"."amount" AS "sales.amount" FROM "products" AS "product" LEFT OUTER JOIN "sales" AS "sales" ON "product"."id" = "sales"."product_id" AND "sales"."amount" > 10 WHERE "product"."id" = 2 ORDER BY 2

SELECT count("id") AS "count" FROM "products" AS "product" WHERE "product"."title" ILIKE '%RED%'

select "id", "title" from "products" where "id" = 1 and "stock" is not null limit 1

select distinct "region" from "sales" order by "region" asc

insert into "jobs" ("payload", "queue") values ('{"a":1}', 'q9') returning *

with "locked" as (select "id" from "jobs" where "queue" = 'q1' and "locked_by" is null order by "run_at" limit 2 for update skip locked) update "jobs" set "locked_by" = 'w1', "attempts" = "attempts" + 1 from "locked" where "jobs"."id" = "locked"."id" returning "jobs"."id"

SELECT * FROM current_schema()

SELECT * FROM "information_schema"."tables" WHERE "table_schema" = 'public' AND "table_name" = 'products'

SELECT columns.table_name, columns.column_name, columns.data_type, columns.is_nullable, ('"' || "udt_schema" || '"."' || "udt_name" || '"')::"regtype"::text AS "regtype", pg_catalog.format_type("col_attr"."atttypid", "col_attr"."atttypmod") AS "format_type" FROM "information_schema"."columns" LEFT JOIN "pg_catalog"."pg_attribute" AS "col_attr" ON "col_attr"."attname" = "columns"."column_name" AND "col_attr"."attrelid" = (SELECT "cls"."oid" FROM "pg_catalog"."pg_class" AS "cls" LEFT JOIN "pg_catalog"."pg_namespace" AS "ns" ON "ns"."oid" = "cls"."relnamespace" WHERE "cls"."relname" = "columns"."table_name" AND "ns"."nspname" = "columns"."table_schema") WHERE "table_schema" = 'public' AND "table_name" = 'products'

SELECT trg.tgname, p.proname FROM pg_trigger trg JOIN pg_proc p ON p.oid = trg.tgfoid WHERE NOT trg.tgisinternal

-- Entity Framework, Dapper, GORM, sqlc, jOOQ

SELECT p."id", p."title" FROM "products" AS p WHERE p."price" > 2.0 ORDER BY p."id" LIMIT 5 OFFSET 2

SELECT p0."id", p0."name", t."id", t."subject" FROM (SELECT p."id", p."name" FROM "people" AS p WHERE p."id" = 4 LIMIT 1) AS p0 LEFT JOIN "tickets" AS t ON p0."id" = t."person_id" ORDER BY p0."id"

SELECT count(*)::int FROM "products" AS p

SELECT EXISTS (SELECT 1 FROM "products" AS p WHERE p."sku" = 'SKU-3')

SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid FROM (SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, elemtyp.oid AS elemtypoid FROM (SELECT typ.oid, typnamespace, typname, typrelid, typnotnull, typelem, CASE WHEN proc.proname = 'array_recv' THEN 'a' ELSE typ.typtype END AS typtype FROM pg_type AS typ LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid) LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive) AS typ LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = typ.typelem) AS t JOIN pg_namespace AS ns ON (ns.oid = typnamespace) WHERE t.typtype IN ('b', 'r', 'm', 'e', 'd')

SELECT * FROM "products" WHERE "products"."id" = 1 ORDER BY "products"."id" LIMIT 1

SELECT count(*) FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA() AND table_name = 'products' AND table_type = 'BASE TABLE'

SELECT c.column_name, c.is_nullable = 'YES', c.udt_name, c.character_maximum_length, c.numeric_precision, c.column_default, pd.description, c.identity_increment FROM information_schema.columns AS c JOIN pg_statio_all_tables AS pgt ON c.table_name = pgt.relname LEFT JOIN pg_catalog.pg_description AS pd ON pd.objsubid = c.ordinal_position AND pd.objoid = pgt.relid WHERE c.table_schema = 'public' AND c.table_name = 'products'

INSERT INTO "products" ("sku","title","price") VALUES ('G-1','gorm',1) ON CONFLICT ("sku") DO NOTHING RETURNING "id"

select "public"."products"."id", sum("public"."sales"."amount") from "public"."products" join "public"."sales" on "public"."sales"."product_id" = "public"."products"."id" group by "public"."products"."id" order by 1 fetch next 3 rows only

-- Ecto, Laravel, Rails queues

SELECT p0."id", p0."title" FROM "products" AS p0 WHERE (p0."id" = ANY('{1,2,3}'))

select * from "products" where "price" > 2 order by "id" asc limit 15 offset 0

select count(*) as aggregate from "products" where "title" like '%red%'

select exists(select * from "products" where "sku" = 'SKU-1') as "exists"

update "jobs" set "attempts" = "attempts" + 1 where "id" = 1

delete from "jobs" where "id" in (select "id" from "jobs" where "attempts" > 5 limit 10)

insert into "jobs" ("queue", "attempts", "payload") values ('default', 0, '{"job":"x"}') returning "id"
