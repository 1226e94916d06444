-- hibernate

select p1_0.id,p1_0.account_id,p1_0.total,p1_0.status,u1_0.id,u1_0.email,u1_0.full_name from purchase p1_0 left join app_user u1_0 on u1_0.id=p1_0.user_id where p1_0.id=$1
-- $ 3

select u1_0.id,u1_0.email,o1_0.user_id,o1_0.id,o1_0.total from app_user u1_0 join purchase o1_0 on u1_0.id=o1_0.user_id where u1_0.account_id=$1 order by u1_0.full_name offset $2 rows fetch first $3 rows only
-- $ 1, 0, 5

select count(p1_0.id) from purchase p1_0 where p1_0.status in ('paid','shipped') and exists(select 1 from purchase_line l1_0 where p1_0.id=l1_0.purchase_id and l1_0.qty>=$1)
-- $ 2

insert into purchase (account_id,currency,note,placed_at,status,total,user_id) values ($1,$2,$3,$4,$5::order_status,$6,$7) returning id
-- $ 1, "EUR", "hib", "2024-07-01", "paid", "3", 2

update product set name=$1,price=$2,lock_version=$3 where id=$4 and lock_version=$5
-- $ "n", "3.2", 1, 4, 0

select p1_0.id,p1_0.note from purchase p1_0 where p1_0.id=$1 for no key update
-- $ 3

select p1_0.id from product p1_0 where p1_0.stock>$1 order by p1_0.id for no key update skip locked
-- $ 4

select j1_0.id,j1_0.queue from job j1_0 where j1_0.id=$1 for no key update nowait
-- $ 1

delete from purchase_line pl1_0 where pl1_0.purchase_id=$1
-- $ 6

with cte as materialized (select p.user_id, sum(p.total) total from purchase p group by p.user_id) select u1_0.id, c.total from app_user u1_0 join cte c on c.user_id = u1_0.id order by c.total desc nulls last, 1 fetch first 5 rows with ties

select * from information_schema.sequences

select TABLE_CAT, TABLE_SCHEM, TABLE_NAME from (SELECT current_database() AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME, CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema' WHEN true THEN 'SYSTEM' ELSE 'TABLE' END AS TABLE_TYPE, d.description AS REMARKS FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 and d.classoid = 'pg_class'::regclass) WHERE c.relnamespace = n.oid AND n.nspname LIKE 'public' AND c.relname LIKE '%' AND c.relkind = 'r') x ORDER BY TABLE_SCHEM, TABLE_NAME

SELECT * FROM (SELECT n.nspname,c.relname,a.attname,a.atttypid,a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS attnotnull,a.atttypmod,a.attlen,t.typtypmod,row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum, nullif(a.attidentity, '') as attidentity, nullif(a.attgenerated, '') as attgenerated, pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc,dsc.description,t.typbasetype,t.typtype FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid) JOIN pg_catalog.pg_attribute a ON (a.attrelid=c.oid) JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid) LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid=def.adrelid AND a.attnum = def.adnum) LEFT JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid) LEFT JOIN pg_catalog.pg_class dc ON (dc.oid=dsc.classoid AND dc.relname='pg_class') LEFT JOIN pg_catalog.pg_namespace dn ON (dc.relnamespace=dn.oid AND dn.nspname='pg_catalog') WHERE c.relkind in ('r','p','v','f','m') and a.attnum > 0 AND NOT a.attisdropped AND n.nspname LIKE 'public' AND c.relname LIKE 'app_user') c WHERE true ORDER BY nspname,c.relname,attnum

SELECT result.TABLE_CAT, result.TABLE_SCHEM, result.TABLE_NAME, result.COLUMN_NAME, result.KEY_SEQ, result.PK_NAME FROM (SELECT current_database() AS TABLE_CAT, n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, a.attname AS COLUMN_NAME, (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME, information_schema._pg_expandarray(i.indkey) AS KEYS, a.attnum AS A_ATTNUM FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON ( a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE true AND n.nspname = 'public' AND ct.relname = 'purchase' AND i.indisprimary) result where result.A_ATTNUM = (result.KEYS).x ORDER BY result.table_name, result.pk_name, result.key_seq

SELECT NULL::text AS PKTABLE_CAT, pkn.nspname AS PKTABLE_SCHEM, pkc.relname AS PKTABLE_NAME, pka.attname AS PKCOLUMN_NAME, fkn.nspname AS FKTABLE_SCHEM, fkc.relname AS FKTABLE_NAME, fka.attname AS FKCOLUMN_NAME, pos.n AS KEY_SEQ, CASE con.confupdtype WHEN 'c' THEN 0 WHEN 'n' THEN 2 WHEN 'd' THEN 4 WHEN 'r' THEN 1 WHEN 'p' THEN 1 WHEN 'a' THEN 3 ELSE NULL END AS UPDATE_RULE, con.conname AS FK_NAME, pkic.relname AS PK_NAME FROM pg_catalog.pg_namespace pkn, pg_catalog.pg_class pkc, pg_catalog.pg_attribute pka, pg_catalog.pg_namespace fkn, pg_catalog.pg_class fkc, pg_catalog.pg_attribute fka, pg_catalog.pg_constraint con, pg_catalog.generate_series(1, 32) pos(n), pg_catalog.pg_class pkic WHERE pkn.oid = pkc.relnamespace AND pkc.oid = pka.attrelid AND pka.attnum = con.confkey[pos.n] AND con.confrelid = pkc.oid AND fkn.oid = fkc.relnamespace AND fkc.oid = fka.attrelid AND fka.attnum = con.conkey[pos.n] AND con.conrelid = fkc.oid AND con.contype = 'f' AND (pkic.relkind = 'i' OR pkic.relkind = 'I') AND pkic.oid = con.conindid AND fkn.nspname = 'public' ORDER BY pkn.nspname,pkc.relname,con.conname,pos.n

SELECT e.typdelim FROM pg_catalog.pg_type t, pg_catalog.pg_type e WHERE t.oid = 1009 and t.typelem = e.oid

SELECT typinput='pg_catalog.array_in'::regproc as is_array, typtype, typname, pg_type.oid FROM pg_catalog.pg_type LEFT JOIN (select ns.oid as nspoid, ns.nspname, r.r from pg_namespace as ns join ( select s.r, (current_schemas(false))[s.r] as nspname from generate_series(1, array_upper(current_schemas(false), 1)) as s(r) ) as r using ( nspname ) ) as sp ON sp.nspoid = typnamespace WHERE typname = 'jsonb' ORDER BY sp.r, pg_type.oid DESC

SET extra_float_digits = 3

SET application_name = 'PostgreSQL JDBC Driver'

SHOW TRANSACTION ISOLATION LEVEL

SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED

-- jooq

select "alias_1"."id", "alias_1"."name", (select coalesce(jsonb_agg(jsonb_build_array("v0", "v1")), jsonb_build_array()) from (select "public"."purchase"."id" as "v0", "public"."purchase"."total" as "v1" from "public"."purchase" where "public"."purchase"."account_id" = "alias_1"."id" order by 1) as "t") as "orders" from "public"."account" as "alias_1" order by 1

insert into "public"."product" ("sku", "name", "price") values ('SKU-J', 'j', cast('1.20' as numeric(10, 2))) on conflict ("sku") do update set "price" = "excluded"."price" where "public"."product"."price" <> "excluded"."price" returning "public"."product"."id"

merge into "public"."product" as "t" using (select 'SKU-0003' as "sku", 'm' as "name") as "s" on "t"."sku" = "s"."sku" when matched then update set "name" = "s"."name" when not matched then insert ("sku", "name") values ("s"."sku", "s"."name")

select "public"."purchase"."status", count(*), grouping("public"."purchase"."status") from "public"."purchase" group by rollup ("public"."purchase"."status") order by 3, 1

select row ("public"."app_user"."id", "public"."app_user"."full_name") as "nested" from "public"."app_user" order by "public"."app_user"."id" limit 2

-- ef core

SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid FROM ( SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.relkind, elemtyp.oid AS elemtypoid, elemtyp.typname AS elemtypname, elemcls.relkind AS elemrelkind, CASE WHEN elemproc.proname='array_recv' THEN 'a' ELSE elemtyp.typtype END AS elemtyptype FROM ( SELECT typ.oid, typnamespace, typname, typrelid, typnotnull, relkind, typelem AS elemoid, CASE WHEN proc.proname='array_recv' THEN 'a' ELSE typ.typtype END AS typtype, CASE WHEN proc.proname='array_recv' THEN typ.typelem WHEN typ.typtype='r' THEN rngsubtype WHEN typ.typtype='m' THEN (SELECT rngtypid FROM pg_range WHERE rngmultitypid = typ.oid) WHEN typ.typtype='d' THEN typ.typbasetype END AS elemtypoid2 FROM pg_type AS typ LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid) LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive LEFT JOIN pg_range ON (pg_range.rngtypid = typ.oid) ) AS typ LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = elemtypoid2 LEFT JOIN pg_class AS elemcls ON (elemcls.oid = elemtyp.typrelid) LEFT JOIN pg_proc AS elemproc ON elemproc.oid = elemtyp.typreceive ) AS t JOIN pg_namespace AS ns ON (ns.oid = typnamespace) WHERE typtype IN ('b', 'r', 'm', 'e', 'd') OR (typtype = 'c' AND relkind='c') OR (typtype = 'p' AND typname IN ('record', 'void', 'unknown')) OR (typtype = 'a' AND (elemtyptype IN ('b', 'r', 'm', 'e', 'd') OR (elemtyptype = 'p' AND elemtypname IN ('record', 'void')) OR (elemtyptype = 'c' AND elemrelkind='c'))) ORDER BY CASE WHEN typtype IN ('b', 'e', 'p') THEN 0 WHEN typtype = 'c' THEN 1 WHEN typtype = 'r' THEN 2 WHEN typtype = 'm' THEN 3 WHEN typtype = 'd' AND elemtyptype <> 'a' THEN 4 WHEN typtype = 'a' THEN 5 END

SELECT typ.oid, att.attname, att.atttypid FROM pg_type AS typ JOIN pg_namespace AS ns ON (ns.oid = typ.typnamespace) JOIN pg_class AS cls ON (cls.oid = typ.typrelid) JOIN pg_attribute AS att ON (att.attrelid = typ.typrelid) WHERE (typ.typtype = 'c' AND cls.relkind='c') AND attnum > 0 AND NOT attisdropped ORDER BY typ.oid, att.attnum

SELECT pg_type.oid, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid=enumtypid ORDER BY oid, enumsortorder

SELECT b.id, b.email, b.full_name, p.id, p.total FROM app_user AS b LEFT JOIN purchase AS p ON b.id = p.user_id WHERE b.account_id = $1 ORDER BY b.id, p.id
-- $ 1

SELECT t.id, t.email, t0.id, t0.total FROM ( SELECT a.id, a.email FROM app_user AS a WHERE a.is_active ORDER BY a.id LIMIT $1 ) AS t LEFT JOIN LATERAL ( SELECT p.id, p.total, p.user_id FROM purchase AS p WHERE t.id = p.user_id ORDER BY p.placed_at DESC LIMIT 2 ) AS t0 ON TRUE ORDER BY t.id, t0.id
-- $ 5

SELECT p.status AS "Status", count(*)::int AS "Count", COALESCE(sum(p.total), 0.0) AS "Sum" FROM purchase AS p GROUP BY p.status ORDER BY 1

SELECT EXISTS ( SELECT 1 FROM purchase AS p WHERE p.status = $1)
-- $ "paid"

SELECT u.id FROM app_user AS u WHERE u.id = ANY ($1) ORDER BY 1
-- $ "{1,2,3}"

SELECT p.id FROM product AS p WHERE p.name LIKE $1 ESCAPE '' ORDER BY p.id
-- $ "Red%"

INSERT INTO purchase (account_id, user_id, total) VALUES ($1, $2, $3) RETURNING id, status, placed_at
-- $ 1, 2, "5"

UPDATE purchase SET note = $1 WHERE id = $2 RETURNING 1
-- $ "ef", 3

SELECT EXISTS ( SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid=c.relnamespace WHERE n.nspname='public' AND c.relname='__EFMigrationsHistory' )

UPDATE product AS p SET stock = p.stock - 1 FROM purchase_line AS l WHERE l.product_id = p.id AND l.purchase_id = 3

SELECT date_part('year', p.placed_at AT TIME ZONE 'UTC')::int, floor(p.total)::int, now()::timestamp > p.placed_at FROM purchase p ORDER BY p.id LIMIT 2

-- gorm, pgx, sqlx, diesel

SELECT * FROM "app_user" WHERE "app_user"."deleted_at" IS NULL ORDER BY "app_user"."id" LIMIT $1
-- $ 1

SELECT count(*) FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA() AND table_name = $1 AND table_type = $2
-- $ "app_user", "BASE TABLE"

SELECT c.column_name, c.is_nullable = 'YES', c.udt_name, c.character_maximum_length, c.numeric_precision, c.numeric_precision_radix, c.numeric_scale, c.datetime_precision, 8 * typlen, c.column_default, pd.description, c.identity_increment FROM information_schema.columns AS c JOIN pg_type AS pgt ON c.udt_name = pgt.typname LEFT JOIN pg_catalog.pg_description as pd ON pd.objsubid = c.ordinal_position AND pd.objoid = (SELECT oid FROM pg_catalog.pg_class WHERE relname = c.table_name AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = c.table_schema)) where table_catalog = current_database() AND table_schema = CURRENT_SCHEMA() AND table_name = 'purchase' ORDER BY c.ordinal_position

SELECT a.attname as column_name, format_type(a.atttypid, a.atttypmod) AS data_type FROM pg_attribute a JOIN pg_class b ON a.attrelid = b.oid AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = CURRENT_SCHEMA()) WHERE a.attnum > 0 AND NOT a.attisdropped AND b.relname = 'purchase'

SELECT * FROM "purchase" LIMIT 1

INSERT INTO "job" ("queue","payload","state") VALUES ($1,$2,$3),($4,$5,$6) ON CONFLICT ("id") DO UPDATE SET "queue"="excluded"."queue","payload"="excluded"."payload" RETURNING "id","attempts"
-- $ "a", "{}", "available", "b", "{}", "available"

UPDATE "app_user" SET "deleted_at"=$1 WHERE id = $2 AND "app_user"."deleted_at" IS NULL
-- $ "2024-09-01", 4

UPDATE job SET state = 'running', locked_by = $1, locked_at = now(), attempts = attempts + 1 WHERE id = (SELECT id FROM job WHERE state = 'available' AND run_at <= now() ORDER BY run_at, id FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING id, queue, payload, attempts
-- $ "worker-1"

WITH locked AS (SELECT id FROM job WHERE state = 'available' AND queue = ANY($1::text[]) ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED) UPDATE job SET state = 'running', attempts = job.attempts + 1 FROM locked WHERE job.id = locked.id RETURNING job.*
-- $ "{default,mail}", 3

select unnest(array(select json_array_elements('[1,2]')))::text

SELECT rel.attnotnull, t.ord FROM unnest(array[(SELECT 'app_user'::regclass)]) with ordinality t(relid, ord) JOIN pg_attribute rel on rel.attrelid = t.relid and rel.attnum = 3

SELECT TRUE FROM pg_catalog.pg_type WHERE typname = $1
-- $ "order_status"

SELECT typtype, typname, typrelid, typelem, typbasetype FROM pg_catalog.pg_type WHERE oid = $1
-- $ 25

SELECT oid::oid, typarray FROM pg_catalog.pg_type WHERE typname ILIKE $1
-- $ "order_status"

SELECT enumlabel FROM pg_catalog.pg_enum WHERE enumtypid = 'order_status'::regtype ORDER BY enumsortorder

SELECT attname, atttypid FROM pg_catalog.pg_attribute WHERE attrelid = (SELECT typrelid FROM pg_type WHERE typname = 'address') AND NOT attisdropped AND attnum > 0 ORDER BY attnum

INSERT INTO purchase_line (purchase_id, product_id, qty, unit_price) SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::int[], $4::numeric[]) RETURNING id > 0, amount
-- $ "{3,6}", "{1,2}", "{2,3}", "{1.5,2.5}"

INSERT INTO purchase (account_id, user_id, total) SELECT 1, u.uid, u.t FROM UNNEST($1::bigint[], $2::numeric[]) AS u(uid, t) RETURNING total
-- $ "{3,6}", "{1,2}"

SELECT "public"."product"."id", "public"."product"."name" FROM "public"."product" WHERE ("product"."price" BETWEEN $1 AND $2) ORDER BY "product"."id" LIMIT $3 OFFSET $4
-- $ "1", "20", 5, 0

SELECT EXISTS (SELECT FROM information_schema.tables WHERE table_schema = 'public' AND table_name = '__diesel_schema_migrations')

-- sqlalchemy, alembic

select pg_catalog.version()

select current_schema()

show standard_conforming_strings

SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relname = $1::VARCHAR AND pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']) AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != $2::VARCHAR
-- $ "app_user", "pg_catalog"

SELECT pg_catalog.pg_attribute.attname AS name, pg_catalog.format_type(pg_catalog.pg_attribute.atttypid, pg_catalog.pg_attribute.atttypmod) AS format_type, (SELECT pg_catalog.pg_get_expr(pg_catalog.pg_attrdef.adbin, pg_catalog.pg_attrdef.adrelid) AS pg_get_expr_1 FROM pg_catalog.pg_attrdef WHERE pg_catalog.pg_attrdef.adrelid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_attrdef.adnum = pg_catalog.pg_attribute.attnum AND pg_catalog.pg_attribute.atthasdef) AS "default", pg_catalog.pg_attribute.attnotnull AS not_null, pg_catalog.pg_class.relname AS table_name, pg_catalog.pg_description.description AS comment, pg_catalog.pg_attribute.attgenerated AS generated, (SELECT json_build_object('always', pg_catalog.pg_attribute.attidentity = 'a', 'start', pg_catalog.pg_sequence.seqstart, 'increment', pg_catalog.pg_sequence.seqincrement, 'minvalue', pg_catalog.pg_sequence.seqmin, 'maxvalue', pg_catalog.pg_sequence.seqmax, 'cache', pg_catalog.pg_sequence.seqcache, 'cycle', pg_catalog.pg_sequence.seqcycle) AS json_build_object_1 FROM pg_catalog.pg_sequence WHERE pg_catalog.pg_attribute.attidentity != '' AND pg_catalog.pg_sequence.seqrelid = CAST(CAST(pg_catalog.pg_get_serial_sequence(CAST(CAST(pg_catalog.pg_attribute.attrelid AS REGCLASS) AS TEXT), pg_catalog.pg_attribute.attname) AS REGCLASS) AS OID)) AS identity_options FROM pg_catalog.pg_class LEFT OUTER JOIN pg_catalog.pg_attribute ON pg_catalog.pg_class.oid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_attribute.attnum > 0 AND NOT pg_catalog.pg_attribute.attisdropped LEFT OUTER JOIN pg_catalog.pg_description ON pg_catalog.pg_description.objoid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_description.objsubid = pg_catalog.pg_attribute.attnum JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']) AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog' AND pg_catalog.pg_class.relname IN ('account', 'product') ORDER BY pg_catalog.pg_class.relname, pg_catalog.pg_attribute.attnum

SELECT attr.conrelid, array_agg(CAST(attr.attname AS TEXT) ORDER BY attr.ord) AS cols, attr.conname, min(attr.description) AS description FROM (SELECT con.conrelid AS conrelid, con.conname AS conname, con.conindid AS conindid, con.description AS description, con.ord AS ord, pg_catalog.pg_attribute.attname AS attname FROM pg_catalog.pg_attribute JOIN (SELECT pg_catalog.pg_constraint.conrelid AS conrelid, pg_catalog.pg_constraint.conname AS conname, pg_catalog.pg_constraint.conindid AS conindid, unnest(pg_catalog.pg_constraint.conkey) AS attnum, generate_subscripts(pg_catalog.pg_constraint.conkey, 1) AS ord, pg_catalog.pg_description.description AS description FROM pg_catalog.pg_constraint LEFT OUTER JOIN pg_catalog.pg_description ON pg_catalog.pg_description.objoid = pg_catalog.pg_constraint.oid WHERE pg_catalog.pg_constraint.contype = 'u') AS con ON pg_catalog.pg_attribute.attnum = con.attnum AND pg_catalog.pg_attribute.attrelid = con.conrelid) AS attr GROUP BY attr.conrelid, attr.conname ORDER BY attr.conrelid, attr.conname

SELECT app_user.id, app_user.email, anon_1.id AS id_1 FROM (SELECT purchase.id AS id, purchase.user_id AS user_id FROM purchase WHERE purchase.total > $1::NUMERIC(12, 2)) AS anon_1 JOIN app_user ON app_user.id = anon_1.user_id ORDER BY app_user.id, anon_1.id
-- $ "100"

INSERT INTO auth_group (name) SELECT p0::VARCHAR FROM (VALUES ($1::VARCHAR, 0), ($2::VARCHAR, 1)) AS imp_sen(p0, sen_counter) ORDER BY sen_counter RETURNING auth_group.id, auth_group.id AS id__1
-- $ "sa1", "sa2"

INSERT INTO purchase (account_id, user_id, total) SELECT p0::INTEGER, p1::BIGINT, p2::NUMERIC(12, 2) FROM (VALUES ($1, $2, $3, 0), ($4, $5, $6, 1)) AS imp_sen(p0, p1, p2, sen_counter) ORDER BY sen_counter RETURNING purchase.id > 0, purchase.total
-- $ 1, 2, "5", 1, 3, "6"

SELECT account.id AS account_id, account.name, purchase_1.id AS id_1, purchase_1.note FROM account LEFT OUTER JOIN purchase AS purchase_1 ON account.id = purchase_1.account_id WHERE account.id IN ($1::INTEGER, $2::INTEGER) ORDER BY 1, 3
-- $ 1, 2

UPDATE purchase SET note=$1::VARCHAR, total=(purchase.total * $2::NUMERIC) WHERE purchase.account_id = $3::INTEGER RETURNING purchase.id, purchase.total
-- $ "sa", "1.1", 2

SELECT alembic_version.version_num FROM alembic_version

UPDATE alembic_version SET version_num='b2' WHERE alembic_version.version_num = 'ae1027a6acf'

-- ecto, doctrine, laravel

SELECT t.oid, t.typname, t.typsend, t.typreceive, t.typoutput, t.typinput, coalesce(d.typelem, t.typelem), coalesce(r.rngsubtype, 0), ARRAY (SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) FROM pg_type AS t LEFT JOIN pg_type AS d ON t.typbasetype = d.oid LEFT JOIN pg_range AS r ON r.rngtypid = t.oid OR r.rngmultitypid = t.oid OR (t.typbasetype <> 0 AND r.rngtypid = t.typbasetype) WHERE (t.typrelid = 0) AND (t.typelem = 0 OR NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type s WHERE s.typrelid != 0 AND s.oid = t.typelem))

SELECT a0."id", a0."email", a0."full_name" FROM "app_user" AS a0 WHERE (a0."account_id" = $1) AND (a0."is_active" = TRUE) ORDER BY a0."id"
-- $ 1

SELECT p0."id", p0."total", p0."user_id", p0."user_id" FROM "purchase" AS p0 WHERE (p0."user_id" = ANY($1)) ORDER BY p0."user_id", p0."id"
-- $ "{1,2,3,4}"

SELECT count('*') FROM "purchase" AS p0

SELECT sp0."id", f1."n" FROM "account" AS sp0 INNER JOIN LATERAL (SELECT count(*) AS "n" FROM "purchase" AS ssp0 WHERE (ssp0."account_id" = sp0."id")) AS f1 ON TRUE ORDER BY 1

INSERT INTO "job" AS j0 ("payload","queue") VALUES ($1,$2) ON CONFLICT ("id") DO UPDATE SET "queue" = EXCLUDED."queue", "attempts" = j0."attempts" + 1 RETURNING "id"
-- $ "{}", "oban"

WITH "subset" AS MATERIALIZED (SELECT sj0."id" AS "id" FROM "job" AS sj0 WHERE (sj0."state" = 'available') AND (sj0."queue" = $1) ORDER BY sj0."id" LIMIT $2 FOR UPDATE SKIP LOCKED) UPDATE "job" AS j0 SET "state" = $3, "locked_at" = $4 FROM "subset" AS f1 WHERE (j0."id" = f1."id") RETURNING j0."id", j0."state"
-- $ "default", 2, "executing", "2024-01-01"

LOCK TABLE "schema_migrations" IN SHARE UPDATE EXCLUSIVE MODE

SELECT s0."version"::bigint FROM "schema_migrations" AS s0

SELECT pg_try_advisory_xact_lock(2, 5)

select exists (select 1 from pg_class c, pg_namespace n where n.nspname = current_schema() and c.relname = 'migrations' and c.relkind in ('r', 'p') and n.oid = c.relnamespace)

select a.attname as name, t.typname as type_name, format_type(a.atttypid, a.atttypmod) as type, (select tc.collcollate from pg_catalog.pg_collation tc where tc.oid = a.attcollation) as collation, not a.attnotnull as nullable, (select pg_get_expr(adbin, adrelid) from pg_attrdef where c.oid = pg_attrdef.adrelid and pg_attrdef.adnum = a.attnum) as default, a.attgenerated as generated, col_description(c.oid, a.attnum) as comment from pg_attribute a, pg_class c, pg_type t, pg_namespace n where c.relname = 'app_user' and n.nspname = current_schema() and a.attnum > 0 and a.attrelid = c.oid and a.atttypid = t.oid and n.oid = c.relnamespace order by a.attnum

select c.relname as name, n.nspname as schema, pg_total_relation_size(c.oid) as size, obj_description(c.oid, 'pg_class') as comment from pg_class c, pg_namespace n where c.relkind in ('r', 'p') and n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'information_schema') order by c.relname

select * from "app_user" where "account_id" = $1 and exists (select * from "purchase" where "app_user"."id" = "purchase"."user_id" and "status" = $2) and "app_user"."deleted_at" is null order by "id" asc limit 15 offset 0
-- $ 1, "paid"

select "app_user".*, (select count(*) from "purchase" where "app_user"."id" = "purchase"."user_id") as "orders_count", (select sum("purchase"."total") from "purchase" where "app_user"."id" = "purchase"."user_id") as "orders_sum_total" from "app_user" order by "id" limit 3

select count(*) as aggregate from "purchase" where "purchase"."user_id" = $1 and "purchase"."user_id" is not null
-- $ 3

insert into "product" ("sku", "name", "price") values ($1, $2, $3) on conflict ("sku") do update set "price" = "excluded"."price"
-- $ "SKU-0004", "lara", "9"

update "purchase" set "meta" = jsonb_set("meta"::jsonb, '{"channel"}', $1), "placed_at" = $2 where "id" = $3
-- $ "\"tv\"", "2024-07-07", 3

select * from "product" where "attributes"->>'color' = $1 and jsonb_array_length(("attributes"->'dims')::jsonb) > $2 order by "id"
-- $ "red", 1

select "name", extract(month from "created_at") as m from "product" where "created_at"::date = $1 and "created_at"::time >= $2 order by 1
-- $ "2024-02-01", "00:00"

delete from "job" where "id" in (select "id" from "job" where "state" = $1 limit 2)
-- $ "done"

select * from "job" where "queue" = $1 and (("locked_at" is null and "run_at" <= $2) or ("locked_at" <= $3)) order by "id" asc limit 1 FOR UPDATE SKIP LOCKED
-- $ "default", "2024-06-01", "2024-05-01"

SELECT t0.id AS id_1, t0.email AS email_2, t0.full_name AS full_name_3 FROM app_user t0 WHERE t0.id = $1
-- $ 2

SELECT DISTINCT id_0 FROM (SELECT DISTINCT id_0, placed_at_1 FROM (SELECT p0_.id AS id_0, p0_.placed_at AS placed_at_1, a1_.email AS email_2 FROM purchase p0_ LEFT JOIN app_user a1_ ON p0_.user_id = a1_.id) dctrn_result_inner ORDER BY placed_at_1 DESC, id_0 DESC) dctrn_result ORDER BY 1 LIMIT 10

SELECT quote_ident(table_name) AS table_name, table_schema AS schema_name FROM information_schema.tables WHERE table_schema NOT LIKE 'pg\_%' AND table_schema != 'information_schema' AND table_name != 'geometry_columns' AND table_name != 'spatial_ref_sys' AND table_type != 'VIEW' ORDER BY 1
