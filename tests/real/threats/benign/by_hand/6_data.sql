-- dbt

create table "analytics"."stg_purchase__dbt_tmp" as ( with source as ( select * from "public"."purchase" ), renamed as ( select id as purchase_id, user_id, status, total::numeric(16,2) as amount, placed_at::date as placed_on from source ) select * from renamed );;
alter table "analytics"."stg_purchase__dbt_tmp" rename to "stg_purchase";;
select count(*), sum(amount) from "analytics"."stg_purchase"

create view "analytics"."dim_user__dbt_tmp" as ( select id, account_id, is_active from "public"."product" p(id, sku, name, account_id, is_active) )

create temporary table "daily_revenue__dbt_tmp133" as ( select placed_at::date as day, sum(total) as revenue, count(*)::int as orders from public.purchase group by 1 );;
delete from "analytics"."daily_revenue" where (day) in ( select (day) from "daily_revenue__dbt_tmp133" );;
insert into "analytics"."daily_revenue" ("day", "revenue", "orders") ( select "day", "revenue", "orders" from "daily_revenue__dbt_tmp133" );;
select count(*) from analytics.daily_revenue

delete from "analytics"."daily_revenue" using (select date '2024-03-01' as day) as t where "analytics"."daily_revenue".day = t.day

merge into "analytics"."daily_revenue" as DBT_INTERNAL_DEST using ( select placed_at::date as day, sum(total) as revenue, count(*)::int as orders from public.purchase group by 1 ) as DBT_INTERNAL_SOURCE on (DBT_INTERNAL_SOURCE.day = DBT_INTERNAL_DEST.day) when matched then update set "revenue" = DBT_INTERNAL_SOURCE."revenue", "orders" = DBT_INTERNAL_SOURCE."orders" when not matched then insert ("day", "revenue", "orders") values ("day", "revenue", "orders")

merge into purchase t using (select 1 as account_id, 3::bigint as user_id, 'aaaaaaaa-0000-0000-0000-000000000001'::uuid as ext, 12.5 as total) s on t.account_id = s.account_id and t.external_id = s.ext when matched then update set total = s.total when not matched then insert (account_id, user_id, external_id, total) values (s.account_id, s.user_id, s.ext, s.total)

select * from ( select "public"."purchase".* from "public"."purchase" where false ) as __dbt_sbq where false limit 0

select count(*) as failures, count(*) != 0 as should_warn, count(*) != 0 as should_error from ( select user_id from "public"."purchase" where user_id is null ) dbt_internal_test

select count(*) as failures from ( with all_values as ( select status as value_field, count(*) as n_records from "public"."purchase" group by status ) select * from all_values where value_field not in ('draft','pending','paid','shipped','cancelled') ) dbt_internal_test

select count(*) as failures from ( select email as unique_field, count(*) as n_records from "public"."app_user" where email is not null group by email having count(*) > 1 ) dbt_internal_test

select count(*) from ( with child as ( select user_id as from_field from "public"."purchase" where user_id is not null ), parent as ( select id as to_field from "public"."app_user" ) select from_field from child left join parent on child.from_field = parent.to_field where parent.to_field is null ) dbt_internal_test

create table analytics.snap as ( select *, md5(coalesce(cast(sku as varchar ), '') || '|' || coalesce(cast(price as varchar ), '')) as dbt_scd_id, updated_at as dbt_updated_at, updated_at as dbt_valid_from, coalesce(nullif(updated_at, updated_at), null) as dbt_valid_to from ( select id, sku, price, updated_at from product ) sbq )

select distinct nspname from pg_namespace where nspname = 'analytics'

select 'warehouse' as database, tablename as name, schemaname as schema, 'table' as type from pg_tables where schemaname ilike 'analytics' union all select 'warehouse' as database, viewname as name, schemaname as schema, 'view' as type from pg_views where schemaname ilike 'analytics' union all select 'warehouse', matviewname, schemaname, 'materialized_view' from pg_matviews where schemaname ilike 'analytics'

with relation as ( select pg_rewrite.ev_class as class, pg_rewrite.oid as id from pg_rewrite ), class as ( select oid as id, relname as name, relnamespace as schema, relkind as kind from pg_class ), dependency as ( select distinct pg_depend.objid as id, pg_depend.refobjid as ref from pg_depend ), schema as ( select pg_namespace.oid as id, pg_namespace.nspname as name from pg_namespace where nspname != 'information_schema' and nspname not like 'pg\_%' ), referenced as ( select relation.id AS id, referenced_class.name , referenced_class.schema , referenced_class.kind from relation join class as referenced_class on relation.class=referenced_class.id where referenced_class.kind in ('r', 'v', 'm') ), relationships as ( select referenced.name as referenced_name, referenced.schema as referenced_schema_id, dependent_class.name as dependent_name, dependent_class.schema as dependent_schema_id, referenced.kind as kind from referenced join dependency on referenced.id=dependency.id join class as dependent_class on dependency.ref=dependent_class.id where (referenced.name != dependent_class.name or referenced.schema != dependent_class.schema) ) select referenced_schema.name as referenced_schema, relationships.referenced_name, dependent_schema.name as dependent_schema, relationships.dependent_name from relationships join schema as dependent_schema on relationships.dependent_schema_id=dependent_schema.id join schema as referenced_schema on relationships.referenced_schema_id=referenced_schema.id group by 1, 2, 3, 4 order by 1, 2, 3, 4

/* {"app": "dbt", "dbt_version": "1.8.0", "profile_name": "x"} */ select column_name, data_type, character_maximum_length, numeric_precision, numeric_scale from "information_schema"."columns" where table_name = 'purchase' and table_schema = 'public' order by ordinal_position

-- airflow

SELECT job.id, job.queue, job.state FROM job WHERE job.state IN ('available', 'running') AND job.run_at <= now() ORDER BY -job.attempts, job.run_at, job.id LIMIT 16 FOR UPDATE OF job SKIP LOCKED

SELECT slot.locktime FROM (SELECT pg_try_advisory_lock(1) AS locktime) AS slot

SELECT pg_advisory_unlock(1)

UPDATE job SET state='scheduled' WHERE job.id IN (1, 2, 3) AND job.state IS NOT NULL

-- airbyte, debezium, fivetran, kafka connect, logstash, spark

SELECT "id", "account_id", "total" FROM "public"."purchase" WHERE "placed_at" > $1 ORDER BY "placed_at" ASC
-- $ "2024-03-05"

SELECT MIN("id"), MAX("id") FROM (SELECT id, total FROM purchase) AS tmp

SELECT "id","email","salary" FROM (select id, email, salary from app_user) SPARK_GEN_SUBQ_0 WHERE "id" >= 10 AND "id" < 20 ORDER BY 1

SELECT 1 FROM (select id from purchase) spark_gen_alias WHERE 1=0

SELECT * FROM (select * from app_user) SPARK_GEN_SUBQ_0 WHERE 1=0

SELECT * FROM "public"."purchase" WHERE "public"."purchase"."id" > $1 ORDER BY "public"."purchase"."id" ASC
-- $ 40

SELECT * FROM (SELECT * FROM purchase WHERE placed_at > '2024-03-02' ORDER BY id) AS t1 LIMIT 1000 OFFSET 0

SELECT count(*) AS "count" FROM (SELECT * FROM purchase WHERE id > 0) AS "t1" LIMIT 1

SELECT "id", "account_id", "email" FROM "public"."app_user" WHERE "id" > 10 OR ("id" = 10 AND "account_id" > 1) ORDER BY "id", "account_id" LIMIT 1024

SELECT pg_namespace.oid AS namespace_id, relname, relpages >= 0, attname, pg_type.typname type_name, atttypmod type_modifier, pg_attribute.attndims ndim, attnum, pg_attribute.attnotnull AS notnull, NULL constraint_id, NULL constraint_type, NULL constraint_key FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid JOIN pg_attribute ON pg_class.oid=pg_attribute.attrelid JOIN pg_type ON atttypid=pg_type.oid WHERE attnum > 0 AND relkind IN ('r', 'v', 'm', 'f', 'p') AND nspname = 'public' ORDER BY namespace_id, relname, attnum

COPY (SELECT * FROM purchase ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER true, DELIMITER ';', NULL '\N', FORCE_QUOTE (note))

COPY public.app_user (id, email, full_name, tags) TO STDOUT

COPY purchase TO STDOUT WITH CSV HEADER

COPY public.product (id, sku, price) TO stdout WITH (FORMAT binary)

COPY (SELECT row_to_json(t) FROM (SELECT id, email, full_name FROM app_user ORDER BY id LIMIT 3) t) TO STDOUT

-- pandas

SELECT * FROM purchase WHERE placed_at >= '2024-03-01' AND placed_at < '2024-04-01'

CREATE TABLE frame ( index BIGINT, a TEXT, b FLOAT(53), c TIMESTAMP WITHOUT TIME ZONE );;
CREATE INDEX ix_frame_index ON frame (index);;
INSERT INTO frame (index, a, b, c) VALUES (0, 'x', 1.5, '2024-01-01'::timestamp), (1, NULL, 'NaN'::float, NULL);;
SELECT * FROM frame ORDER BY index;;
DROP TABLE frame

-- migrations: flyway, liquibase, alembic, golang-migrate, knex, atlas, rails, django
CREATE TABLE IF NOT EXISTS "public"."flyway_schema_history" ( "installed_rank" INT NOT NULL, "version" VARCHAR(50), "description" VARCHAR(200) NOT NULL, "type" VARCHAR(20) NOT NULL, "script" VARCHAR(1000) NOT NULL, "checksum" INTEGER, "installed_by" VARCHAR(100) NOT NULL, "installed_on" TIMESTAMP NOT NULL DEFAULT now(), "execution_time" INTEGER NOT NULL, "success" BOOLEAN NOT NULL ) TABLESPACE "pg_default";;
ALTER TABLE "public"."flyway_schema_history" ADD CONSTRAINT "flyway_schema_history_pk" PRIMARY KEY ("installed_rank");;
CREATE INDEX "flyway_schema_history_s_idx" ON "public"."flyway_schema_history" ("success");;
INSERT INTO "public"."flyway_schema_history" ("installed_rank", "version", "description", "type", "script", "checksum", "installed_by", "execution_time", "success") VALUES (1, '1', 'init', 'SQL', 'V1__init.sql', 123, 'x', 10, true);;
SELECT "installed_rank","version","description","type","script","checksum","installed_by","execution_time","success" FROM "public"."flyway_schema_history" WHERE "installed_rank" > 0 ORDER BY "installed_rank"

SELECT EXISTS ( SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_depend dep ON dep.objid = c.oid AND dep.deptype = 'e' WHERE n.nspname = 'public' AND c.relkind = 'r' AND dep.objid IS NULL)

SELECT pg_try_advisory_lock(77431708279161)

CREATE TABLE public.databasechangeloglock (ID INTEGER NOT NULL, LOCKED BOOLEAN NOT NULL, LOCKGRANTED TIMESTAMP WITHOUT TIME ZONE, LOCKEDBY VARCHAR(255), CONSTRAINT databasechangeloglock_pkey PRIMARY KEY (ID));;
DELETE FROM public.databasechangeloglock;;
INSERT INTO public.databasechangeloglock (ID, LOCKED) VALUES (1, FALSE);;
SELECT LOCKED FROM public.databasechangeloglock WHERE ID=1 FOR UPDATE;;
UPDATE public.databasechangeloglock SET LOCKED = TRUE, LOCKEDBY = 'host (10.0.0.1)', LOCKGRANTED = NOW() WHERE ID = 1 AND LOCKED = FALSE

CREATE TABLE alembic_other ( version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num) )

CREATE TABLE IF NOT EXISTS "public"."golang_migrations" (version bigint not null primary key, dirty boolean not null);;
TRUNCATE "public"."golang_migrations";;
INSERT INTO "public"."golang_migrations" (version, dirty) VALUES ($$2$$, 'f');;
SELECT version, dirty FROM "public"."golang_migrations" LIMIT 1

SELECT COUNT(1) FROM information_schema.tables WHERE table_schema = (SELECT current_schema()) AND table_name = 'schema_migrations' LIMIT 1

create table if not exists "knex_migrations_lock" ("index" serial primary key, "is_locked" integer);;
insert into "knex_migrations_lock" ("is_locked") values (0);;
update "knex_migrations_lock" set "is_locked" = 1 where "is_locked" = 0;;
select * from "knex_migrations_lock"

ALTER TABLE "product" ADD COLUMN "weight" numeric(6, 2) NULL;;
ALTER TABLE "product" ADD COLUMN "margin" numeric(10, 2) GENERATED ALWAYS AS (price * 0.2) STORED;;
ALTER TABLE "product" ALTER COLUMN "stock" SET DEFAULT 5;;
ALTER TABLE "product" ADD CONSTRAINT "product_price_check" CHECK (price >= 0) NOT VALID;;
ALTER TABLE "product" VALIDATE CONSTRAINT "product_price_check";;
ALTER TABLE "product" RENAME COLUMN "stock" TO "in_stock";;
SELECT id, in_stock, margin FROM product ORDER BY id LIMIT 2

CREATE TABLE event_2024_q3 PARTITION OF event FOR VALUES FROM ('2025-07-01') TO ('2025-10-01');;
ALTER TABLE event DETACH PARTITION event_2024_q3;;
ALTER TABLE event ATTACH PARTITION event_2024_q3 FOR VALUES FROM ('2025-07-01') TO ('2025-10-01');;
CREATE INDEX event_kind ON event (kind, at DESC) INCLUDE (user_id)

COMMENT ON COLUMN product.price IS 'net, in EUR';;
COMMENT ON TABLE purchase IS NULL

CREATE SCHEMA IF NOT EXISTS reporting AUTHORIZATION CURRENT_USER;;
GRANT USAGE ON SCHEMA reporting TO PUBLIC;;
ALTER DEFAULT PRIVILEGES IN SCHEMA reporting GRANT SELECT ON TABLES TO PUBLIC;;
GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO PUBLIC;;
REVOKE ALL ON SCHEMA reporting FROM PUBLIC

CREATE SEQUENCE IF NOT EXISTS invoice_seq START 1000 INCREMENT 1 OWNED BY NONE;;
SELECT nextval('invoice_seq');;
SELECT setval('invoice_seq', (SELECT max(id) FROM category));;
ALTER SEQUENCE invoice_seq RESTART WITH 5

SELECT setval(pg_get_serial_sequence('"category"','id'), coalesce(max("id"), 1), max("id") IS NOT null) FROM "category"

SELECT setval('category_id_seq', COALESCE((SELECT MAX(id)+(SELECT 1) FROM category), 1), false)

REFRESH MATERIALIZED VIEW CONCURRENTLY top_product

ANALYZE product

VACUUM (ANALYZE) category

CREATE TABLE copyme (LIKE product INCLUDING ALL);;
INSERT INTO copyme (sku, name) SELECT sku, name FROM product;;
SELECT count(*) FROM copyme;;
DROP TABLE IF EXISTS copyme CASCADE

CREATE STATISTICS st_prod (dependencies) ON category_id, price FROM product;;
ANALYZE product

CREATE TABLE d_inv (id int PRIMARY KEY, tenant_id int NOT NULL, total numeric CHECK (total >= 0), EXCLUDE USING btree (id WITH =));;
CREATE VIEW d_inv_v WITH (security_barrier) AS SELECT * FROM d_inv WHERE total > 0 WITH CHECK OPTION;;
CREATE RULE d_rule AS ON DELETE TO d_inv DO INSTEAD NOTHING;;
DROP TABLE d_inv CASCADE
