-- by hand, by agents

SELECT * FROM app_user

SELECT * FROM purchase ORDER BY id DESC LIMIT 10

SELECT u.*, p.* FROM app_user u JOIN purchase p ON p.user_id = u.id ORDER BY p.id LIMIT 5

TABLE purchase

SELECT count(*) FROM purchase

SELECT count(*), count(email), count(DISTINCT account_id) FROM app_user

SELECT email, full_name FROM app_user ORDER BY email

SELECT full_name, count(*) FROM app_user GROUP BY full_name ORDER BY 2 DESC, 1

SELECT DISTINCT email FROM app_user ORDER BY 1

SELECT id, email FROM app_user WHERE email LIKE '%@example.com' ORDER BY id

SELECT id FROM app_user WHERE email = 'person3@example.com'

SELECT id, full_name FROM app_user WHERE full_name ILIKE 'ann%' ORDER BY 1

SELECT avg(salary), min(birth_date), max(salary) FROM app_user

SELECT account_id, round(avg(salary), 2) FROM app_user GROUP BY account_id ORDER BY 1

SELECT id, date_part('year', age(timestamp '2024-06-01', birth_date)) AS years FROM app_user ORDER BY 1

SELECT id, lower(email), split_part(email, '@', 2), length(full_name), substr(card_number, 13) FROM app_user ORDER BY id LIMIT 5

SELECT split_part(email, '@', 2) AS domain, count(*) FROM app_user GROUP BY 1 ORDER BY 2 DESC

SELECT u.email, p.total FROM app_user u LEFT JOIN LATERAL (SELECT total FROM purchase WHERE user_id = u.id ORDER BY total DESC LIMIT 1) p ON true ORDER BY u.id

SELECT status, account_id, sum(total), grouping(status, account_id) FROM purchase GROUP BY GROUPING SETS ((status), (account_id), ()) ORDER BY 4, 1, 2

SELECT status, currency, count(*) FROM purchase GROUP BY CUBE (status, currency) ORDER BY 1, 2, 3

SELECT status, percentile_cont(0.5) WITHIN GROUP (ORDER BY total), percentile_disc(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY total), mode() WITHIN GROUP (ORDER BY currency) FROM purchase GROUP BY status ORDER BY status

SELECT id, total, sum(total) OVER w, avg(total) OVER (w ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), first_value(total) OVER w, ntile(4) OVER (ORDER BY total), percent_rank() OVER (ORDER BY total), nth_value(id, 2) OVER (w RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM purchase WINDOW w AS (PARTITION BY status ORDER BY id) ORDER BY id

SELECT id, sum(total) OVER (ORDER BY placed_at RANGE BETWEEN interval '3 days' PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) FROM purchase ORDER BY id

SELECT id, count(*) OVER (ORDER BY status GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM purchase ORDER BY id

SELECT email, rank() OVER (ORDER BY total DESC) FROM (SELECT u.email, sum(p.total) total FROM app_user u JOIN purchase p ON p.user_id = u.id GROUP BY u.id, u.email) x ORDER BY 2, 1

WITH RECURSIVE tree AS (SELECT id, parent_id, name, 1 AS depth FROM category WHERE parent_id IS NULL UNION ALL SELECT c.id, c.parent_id, c.name, t.depth + 1 FROM category c JOIN tree t ON c.parent_id = t.id) SEARCH DEPTH FIRST BY id SET ord SELECT * FROM tree ORDER BY ord

WITH RECURSIVE g AS (SELECT id, parent_id FROM category UNION ALL SELECT c.id, c.parent_id FROM category c JOIN g ON c.parent_id = g.id) CYCLE id SET is_cycle USING path SELECT count(*), bool_or(is_cycle) FROM g

WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT array_agg(i) FROM n

SELECT d::date AS day, coalesce(sum(p.total), 0) AS revenue, count(p.id) FROM generate_series(date '2024-03-01', date '2024-03-10', interval '1 day') d LEFT JOIN purchase p ON p.placed_at::date = d::date GROUP BY 1 ORDER BY 1

SELECT DISTINCT ON (user_id) user_id, id, status, total FROM purchase ORDER BY user_id, placed_at DESC

SELECT date_trunc('day', placed_at, 'Europe/Berlin') AS d, count(*) FROM purchase GROUP BY 1 ORDER BY 1

SELECT to_char(placed_at, 'YYYY-"W"IW') wk, to_char(sum(total), 'FM999,999.00') FROM purchase GROUP BY 1 ORDER BY 1

SELECT jt.* FROM purchase p, jsonb_to_recordset(p.meta -> 'items') AS jt(sku text, n int) ORDER BY jt.n

SELECT id, jsonb_path_query_first(attributes, '$.dims[0]'), attributes @? '$.dims[*] ? (@ > 20)', attributes @@ '$.size == 2' FROM product ORDER BY id

SELECT id, jsonb_pretty(attributes), attributes - 'dims', attributes || '{"x": 1}', attributes #- '{dims,0}', jsonb_set(attributes, '{color}', '"pink"') FROM product ORDER BY id LIMIT 2

SELECT key, count(*) FROM app_user, jsonb_object_keys(preferences) key GROUP BY key ORDER BY key

SELECT p.id, e.key, e.value FROM product p CROSS JOIN LATERAL jsonb_each_text(p.attributes) e WHERE p.id < 4 ORDER BY 1, 2

SELECT preferences ->> 'theme' AS theme, count(*) FROM app_user GROUP BY 1 ORDER BY 1

SELECT preferences['mail']['weekly'], preferences['n'] FROM app_user WHERE (preferences ->> 'n')::int < 5 ORDER BY 2

SELECT t.tag, count(*) FROM app_user u, unnest(u.tags) WITH ORDINALITY AS t(tag, ord) GROUP BY t.tag ORDER BY 1

SELECT id, tags[1], array_length(tags, 1), array_to_string(tags, '|'), 't1' = ANY(tags), array_position(tags, 'all'), cardinality(tags) FROM app_user ORDER BY id LIMIT 5

SELECT id, (home).city, (home).zip FROM app_user ORDER BY id LIMIT 3

SELECT id, name, ts_rank_cd(search, q), ts_headline('english', name, q) FROM product, to_tsquery('english', 'red & widget') q WHERE search @@ q ORDER BY 3 DESC, 1 LIMIT 5

SELECT name, similarity(name, 'Red wigdet') s, name <-> 'Red wigdet' AS d FROM product WHERE name % 'Red wigdet' ORDER BY name <-> 'Red wigdet', 1 LIMIT 5

SELECT unaccent('Hôtel'), word_similarity('wid', 'widget'), crypt('x', '$1$abcdefgh') IS NOT NULL, encode(digest('x', 'sha256'), 'hex'), gen_random_uuid() IS NOT NULL

SELECT attrs -> 'w', attrs ? 'w', hstore_to_json(attrs), akeys(attrs) FROM product ORDER BY id LIMIT 2

SELECT login, login = 'LOGIN3' FROM app_user WHERE login = 'login3'

SELECT regexp_replace(sku, '(\w+)-(\d+)', '\2/\1'), regexp_match(sku, '\d+'), (regexp_matches(sku, '0', 'g'))[1], regexp_split_to_array(name, '\s+'), sku ~* '^sku', sku SIMILAR TO 'SKU-%' FROM product WHERE id = 3

SELECT regexp_count(name, 'e'), regexp_instr(name, 'd'), regexp_like(name, '^R'), regexp_substr(name, '\d+') FROM product ORDER BY id LIMIT 3

SELECT format('%s: %I = %L', id, sku, name), concat_ws('-', id, NULL, sku), initcap(name), lpad(id::text, 5, '0'), rpad('x', 3, '.'), btrim('  a '), reverse(sku), translate(sku, 'SK', 'sk'), left(name, 3), right(name, 2), repeat('ab', 2), overlay(name placing 'X' from 1 for 1), position('w' in name), strpos(name, 'w'), ascii('a'), chr(97), md5(name), starts_with(name, 'R'), string_to_array(name, ' '), quote_literal(name), to_hex(255), encode('abc'::bytea, 'base64') FROM product ORDER BY id LIMIT 2

SELECT date_bin('15 minutes', ts, timestamptz '2024-01-01'), avg(value), min(value), regr_slope(value, extract(epoch from ts)) FROM metric GROUP BY 1 ORDER BY 1

SELECT timestamp '2024-01-01 10:00' AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Tokyo', timestamptz '2024-01-01 10:00+00' + interval '1 month 3 days', make_interval(days => 3), make_date(2024, 2, 29), justify_hours(interval '30 hours'), extract(dow from date '2024-01-01'), isfinite(date 'infinity'), to_timestamp(0), date '2024-03-01' - date '2024-02-01', (date '2024-01-01', date '2024-02-01') OVERLAPS (date '2024-01-15', date '2024-01-20')

SELECT CURRENT_DATE > date '2020-01-01', LOCALTIMESTAMP IS NOT NULL, now() - interval '1 day' < now(), statement_timestamp() IS NOT NULL, timeofday() IS NOT NULL

SELECT int4range(1, 10) @> 5, int4range(1, 5) * int4range(3, 8), upper(valid), lower(valid), valid && daterange('2024-01-10', '2024-01-20'), range_merge(valid, valid), isempty(valid) FROM product ORDER BY id LIMIT 2

SELECT range_agg(valid), range_intersect_agg(valid), unnest(multirange(daterange('2024-01-01', '2024-01-05'))) FROM product

SELECT '{[1,3), [5,8)}'::int4multirange - '{[2,6)}'::int4multirange

SELECT id, room FROM booking WHERE during @> timestamptz '2024-06-01 09:30+00'

SELECT b1.id, b2.id FROM booking b1 JOIN booking b2 ON b1.during -|- b2.during OR b1.during << b2.during ORDER BY 1, 2

SELECT coalesce(nullif(note, ''), 'none'), greatest(total, 10), least(total, 10), CASE status WHEN 'paid' THEN 1 WHEN 'draft' THEN 0 ELSE -1 END FROM purchase ORDER BY id LIMIT 4

SELECT * FROM purchase WHERE (account_id, status) IN ((1, 'paid'), (2, 'draft')) ORDER BY id

SELECT * FROM purchase WHERE total > ALL (SELECT avg(total) FROM purchase GROUP BY status) ORDER BY id

SELECT id FROM app_user EXCEPT SELECT user_id FROM purchase ORDER BY 1

SELECT id FROM app_user INTERSECT ALL SELECT user_id FROM purchase ORDER BY 1

SELECT count(*) FROM app_user TABLESAMPLE BERNOULLI (100) REPEATABLE (1)

SELECT width_bucket(total, 0, 600, 6) AS bucket, int8range(min(total)::int, max(total)::int, '[]'), count(*) FROM purchase GROUP BY 1 ORDER BY 1

SELECT corr(total, id), covar_pop(total, id), regr_r2(total, id), stddev(total), variance(total), bit_and(id), bool_and(total > 0), every(total > 0), json_object_agg(id, total) IS NOT NULL, xmlagg(xmlelement(name x, id)) IS NOT NULL FROM purchase WHERE status = 'paid'

SELECT array_agg(DISTINCT status ORDER BY status), string_agg(DISTINCT currency, ','), jsonb_object_agg(id, total) FROM purchase WHERE user_id < 5

SELECT u.id, array(SELECT p.id FROM purchase p WHERE p.user_id = u.id ORDER BY 1) AS ids FROM app_user u ORDER BY 1

SELECT row_to_json(u) FROM app_user u ORDER BY u.id LIMIT 2

SELECT to_jsonb(u) - 'password' FROM app_user u ORDER BY u.id LIMIT 2

SELECT json_agg(p) FROM (SELECT id, total FROM purchase ORDER BY id LIMIT 3) p

SELECT (p).id, (p).total FROM (SELECT p FROM purchase p) x ORDER BY 1 LIMIT 3

SELECT id, tableoid::regclass::text FROM event ORDER BY id LIMIT 4

SELECT kind, count(*) FROM event WHERE at >= '2024-02-01' GROUP BY kind ORDER BY 1

SELECT * FROM active_user ORDER BY id LIMIT 5

SELECT * FROM purchase_summary ORDER BY account_id, status

SELECT t.*, p.name FROM top_product t JOIN product p ON p.id = t.product_id ORDER BY sold DESC, 1 LIMIT 5

SELECT order_total(3), order_total(id) FROM purchase ORDER BY id LIMIT 2

SELECT u.full_name, s.n FROM active_user u JOIN (SELECT user_id, count(*) n FROM purchase GROUP BY 1) s ON s.user_id = u.id ORDER BY s.n DESC, u.id

SELECT * FROM app_user NATURAL JOIN (SELECT 3::bigint AS id) x

SELECT id, total FROM purchase JOIN (VALUES ('paid'::order_status, 1), ('draft', 2)) AS v(status, w) USING (status) ORDER BY w, id

SELECT a.name, b.name FROM category a FULL JOIN category b ON b.parent_id = a.id ORDER BY 1, 2

EXPLAIN SELECT * FROM product WHERE sku = 'SKU-0001'

EXPLAIN (FORMAT JSON, COSTS off) SELECT id FROM category WHERE id = 1

EXPLAIN (ANALYZE, BUFFERS, TIMING off, SUMMARY off, COSTS off) SELECT id FROM category WHERE id = 1

EXPLAIN (COSTS off) SELECT email FROM app_user WHERE id = 3

PREPARE find (bigint) AS SELECT id, email, full_name FROM app_user WHERE id = $1;;
EXECUTE find (3);;
EXECUTE find (4);;
DEALLOCATE find

PREPARE ins AS INSERT INTO purchase (account_id, user_id, total) VALUES ($1, $2, $3) RETURNING total;;
EXECUTE ins (1, 2, 3.5);;
DEALLOCATE ALL

PREPARE t AS UPDATE purchase SET note = $1 WHERE id = $2;;
EXECUTE t ('prepared', 3);;
DEALLOCATE PREPARE t

DECLARE c SCROLL CURSOR FOR SELECT id, email FROM app_user ORDER BY id;;
FETCH 3 FROM c;;
FETCH BACKWARD 1 FROM c;;
MOVE FORWARD 5 IN c;;
FETCH ABSOLUTE 2 FROM c;;
FETCH LAST FROM c;;
CLOSE c

DECLARE pc CURSOR FOR SELECT id, note FROM purchase ORDER BY id FOR UPDATE;;
FETCH NEXT FROM pc;;
CLOSE ALL

DECLARE jc CURSOR FOR SELECT id FROM job FOR UPDATE;;
FETCH 1 FROM jc;;
UPDATE job SET state = 'seen' WHERE CURRENT OF jc;;
CLOSE jc

SAVEPOINT a;;
UPDATE product SET stock = 0 WHERE id = 1;;
ROLLBACK TO SAVEPOINT a;;
SELECT stock FROM product WHERE id = 1;;
RELEASE a

SET LOCAL statement_timeout = '10s';;
SHOW statement_timeout;;
SET LOCAL work_mem TO '64MB';;
SET LOCAL search_path TO analytics, public;;
SELECT * FROM daily_revenue ORDER BY day;;
RESET search_path

SET app.current_tenant = '1';;
SELECT current_setting('app.current_tenant');;
RESET app.current_tenant

SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;;
SELECT count(*) FROM purchase

LISTEN changes;;
NOTIFY changes, 'hello';;
UNLISTEN *

CREATE TEMP TABLE top_users AS SELECT user_id, sum(total) AS total FROM purchase GROUP BY 1;;
CREATE INDEX ON top_users (user_id);;
ANALYZE top_users;;
SELECT * FROM top_users ORDER BY total DESC, 1 LIMIT 5;;
DROP TABLE top_users

CREATE TEMP TABLE masked_copy ON COMMIT DROP AS SELECT id, email, salary FROM app_user;;
SELECT * FROM masked_copy ORDER BY id LIMIT 3

SELECT id, total INTO TEMP tt FROM purchase;;
SELECT count(*) FROM tt

CREATE TEMPORARY TABLE ids (id bigint PRIMARY KEY);;
INSERT INTO ids VALUES (1), (2), (3);;
SELECT p.id FROM purchase p JOIN ids USING (id) ORDER BY 1;;
UPDATE purchase p SET note = 'joined' FROM ids WHERE ids.id = p.id;;
DELETE FROM purchase_line l USING ids WHERE l.purchase_id = ids.id;;
TRUNCATE ids

LOCK TABLE product IN SHARE ROW EXCLUSIVE MODE

LOCK TABLE purchase IN ACCESS EXCLUSIVE MODE NOWAIT

INSERT INTO purchase (account_id, user_id, status, total) VALUES (1, 1, 'draft', 10), (1, 2, 'draft', 11) RETURNING status, total

INSERT INTO purchase (account_id, user_id, total) SELECT account_id, user_id, total * 2 FROM purchase WHERE status = 'draft' RETURNING total

INSERT INTO purchase AS p (account_id, user_id, external_id, total) VALUES (1, 3, 'bbbbbbbb-0000-0000-0000-000000000001', 1) ON CONFLICT (account_id, external_id) DO UPDATE SET total = p.total + excluded.total, note = 'again' WHERE p.status <> 'cancelled' RETURNING p.total, (xmax = 0) AS inserted

INSERT INTO purchase (account_id, user_id) VALUES (1, 3) ON CONFLICT DO NOTHING

UPDATE app_user SET salary = 5000 WHERE id = 3 RETURNING id, is_active

UPDATE app_user SET preferences = preferences || '{"theme": "blue"}' WHERE account_id = 1 RETURNING id, preferences ->> 'theme'

UPDATE app_user SET (is_active, deleted_at) = (false, now()) WHERE id = 6 RETURNING id, is_active

UPDATE purchase SET status = 'paid', total = total + (SELECT coalesce(sum(amount), 0) FROM purchase_line l WHERE l.purchase_id = purchase.id) WHERE id = 3 RETURNING *

UPDATE purchase p SET note = u.full_name FROM app_user u WHERE u.id = p.user_id AND p.id < 9

UPDATE purchase SET note = 'x' WHERE id IN (SELECT purchase_id FROM purchase_line WHERE product_id = 3) RETURNING id

UPDATE purchase SET account_id = 1 WHERE id = 3

UPDATE purchase SET status = DEFAULT, meta = NULL WHERE id = 3 RETURNING status

UPDATE ONLY purchase SET note = 'only' WHERE id = 3

UPDATE event SET payload = '{}' WHERE at < '2024-02-01'

DELETE FROM purchase WHERE placed_at < '2024-03-05' RETURNING id, total

DELETE FROM purchase USING app_user u WHERE u.id = purchase.user_id AND NOT u.is_active

DELETE FROM app_user_groups WHERE user_id = 3

WITH gone AS (DELETE FROM purchase_line WHERE purchase_id = 3 RETURNING *) SELECT count(*), sum(amount) FROM gone

WITH up AS (UPDATE purchase SET note = 'cte' WHERE status = 'draft' RETURNING id, total), log AS (INSERT INTO job (payload) SELECT jsonb_build_object('id', id) FROM up RETURNING id) SELECT (SELECT count(*) FROM up), (SELECT count(*) FROM log)

WITH moved AS (DELETE FROM staging_product RETURNING sku, name, price) INSERT INTO product (sku, name, price) SELECT * FROM moved ON CONFLICT (sku) DO UPDATE SET price = excluded.price RETURNING sku, price

MERGE INTO product p USING staging_product s ON p.sku = s.sku WHEN MATCHED AND s.price <> p.price THEN UPDATE SET price = s.price, name = s.name WHEN NOT MATCHED THEN INSERT (sku, name, price) VALUES (s.sku, s.name, s.price)

MERGE INTO purchase p USING (VALUES (3::bigint, 'm')) v(id, note) ON p.id = v.id WHEN MATCHED THEN UPDATE SET note = v.note

MERGE INTO purchase p USING (VALUES (3::bigint)) v(id) ON p.id = v.id WHEN MATCHED THEN DELETE

MERGE INTO analytics.daily_revenue d USING (SELECT date '2024-03-01' AS day) s ON d.day = s.day WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT VALUES (s.day, 0, 0)

TRUNCATE staging_product

TRUNCATE TABLE purchase_line, job RESTART IDENTITY

SELECT pg_sleep(0)

SELECT txid_current() > 0, pg_current_xact_id() IS NOT NULL, pg_snapshot_xmin(pg_current_snapshot()) IS NOT NULL

SELECT num_nulls(1, NULL), num_nonnulls(1, NULL), 5 / 2, 5 % 2, 2 ^ 3, |/ 4, @ -5, 5 # 3, ~1, 1 << 3, round(1.555, 2), trunc(1.9), ceil(1.1), sign(-3), mod(7, 3), gcd(4, 6), random() < 1, setseed(0.5)

SELECT xmlforest(id, name) FROM category ORDER BY id LIMIT 1

SELECT host(last_ip), last_ip << inet '10.0.0.0/24', masklen(last_ip), family(last_ip) FROM app_user ORDER BY id LIMIT 2

SELECT * FROM json_to_record('{"a": 1, "b": "x"}') AS x(a int, b text)

SELECT * FROM ROWS FROM (generate_series(1, 3), unnest(ARRAY['a', 'b'])) WITH ORDINALITY AS t(a, b, n)

SELECT x, y FROM unnest(ARRAY[1, 2], ARRAY['a', 'b']) AS t(x, y)

VALUES (1, 'one'), (2, 'two')

SELECT 1; SELECT 2 AS two; SELECT count(*) FROM purchase

BEGIN; UPDATE purchase SET note = 'multi' WHERE id = 3; SELECT note FROM purchase WHERE id = 3; ROLLBACK

START TRANSACTION READ ONLY;;
SELECT count(*) FROM purchase;;
COMMIT AND NO CHAIN

SELECT * FROM product WHERE name ~ '^Red' AND price BETWEEN SYMMETRIC 20 AND 1 AND category_id IS NOT DISTINCT FROM 2 AND NOT name LIKE '%1' ESCAPE '!' ORDER BY price DESC NULLS LAST, id OFFSET 1 ROW FETCH FIRST 2 ROWS ONLY

SELECT u.id, u.email FROM app_user u WHERE u.id = (SELECT p.user_id FROM purchase p ORDER BY p.total DESC LIMIT 1)

SELECT u.email, (SELECT count(*) FROM purchase p WHERE p.user_id = u.id) AS n FROM app_user u WHERE u.account_id = 2 ORDER BY n DESC, u.id

SELECT max(length(email)), min(length(full_name)) FROM app_user

SELECT u.id, CASE WHEN u.email IS NULL THEN 'no' ELSE 'yes' END AS has_mail, coalesce(u.phone, 'n/a') AS phone FROM app_user u ORDER BY u.id LIMIT 4

SELECT to_char(salary, '999G999D99'), salary::int, salary::text, birth_date + 1, to_char(birth_date, 'YYYY'), extract(year from birth_date) FROM app_user ORDER BY id LIMIT 4

SELECT contact, (contact)::text, token, token::text, last_ip FROM app_user ORDER BY id LIMIT 4

SELECT p.id, p.total / nullif(sum(p.total) OVER (), 0) AS share FROM purchase p ORDER BY p.id

SELECT coalesce(status::text, 'TOTAL') AS s, sum(total) FROM purchase GROUP BY ROLLUP (status) ORDER BY grouping(status), 1

SELECT date_trunc('month', placed_at) m, count(*) FILTER (WHERE status = 'paid')::float / nullif(count(*), 0) AS rate FROM purchase GROUP BY 1 HAVING count(*) > 1 ORDER BY 1

SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name IN ('app_user', 'purchase') ORDER BY table_name, ordinal_position

SELECT pg_get_viewdef('active_user'::regclass, true)

SELECT pg_get_functiondef('order_total(bigint)'::regprocedure)

SELECT col_description('app_user'::regclass, 3), obj_description('app_user'::regclass)

SHOW server_version

SELECT current_setting('timezone'), current_setting('no.such', true), set_config('work_mem', '8MB', true)
