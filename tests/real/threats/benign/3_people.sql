-- what people and agents write by hand

SELECT * FROM products

SELECT * FROM people

SELECT * FROM tickets

SELECT p.*, t.subject FROM people p JOIN tickets t ON t.person_id = p.id

SELECT name, email FROM people WHERE email LIKE '%example.com' ORDER BY email

SELECT count(*), count(email), count(DISTINCT email) FROM people

SELECT left(email, 3), upper(name), length(phone) FROM people

SELECT email, count(*) FROM people GROUP BY email HAVING count(*) > 1

SELECT * FROM people WHERE id = 3 FOR UPDATE

SELECT state, count(*) FROM tickets GROUP BY state

SELECT t.* FROM tickets t LEFT JOIN people p ON t.person_id = p.id WHERE p.email IS NOT NULL

SELECT * FROM open_tickets

SELECT person, count(*) FROM open_tickets GROUP BY person ORDER BY 2 DESC, 1

SELECT * FROM sales_by_month ORDER BY 1, 2

SELECT * FROM top_products ORDER BY total DESC, product_id LIMIT 3

TABLE categories

VALUES (1, 'one'), (2, 'two')

SELECT 1 + 1 AS two, 'a' || 'b', 7 / 2, 7 % 3, 2 ^ 10, |/ 16.0, @ -5

SELECT current_date - interval '1 month' < now(), date '2026-01-31' + 1, age(date '2026-02-01', date '2026-01-01')

SELECT DISTINCT ON (region) region, id, amount FROM sales ORDER BY region, amount DESC, id

SELECT region, amount, sum(amount) OVER (PARTITION BY region ORDER BY sold_at ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) FROM sales ORDER BY id

SELECT region, count(*) FILTER (WHERE amount > 10), avg(amount)::numeric(10, 2) FROM sales GROUP BY ROLLUP (region) ORDER BY 1 NULLS LAST

SELECT region, channel, sum(amount), GROUPING(region, channel) FROM sales GROUP BY CUBE (region, channel) ORDER BY 1, 2, 4

SELECT region, percentile_disc(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY amount) FROM sales GROUP BY region ORDER BY 1

SELECT mode() WITHIN GROUP (ORDER BY region), stddev_samp(amount)::numeric(10, 3), corr(quantity, amount::float8) IS NOT NULL FROM sales

SELECT id, lag(amount, 1, 0) OVER w, lead(amount) OVER w, first_value(id) OVER w, ntile(4) OVER w, cume_dist() OVER w FROM sales WINDOW w AS (PARTITION BY region ORDER BY id) ORDER BY id LIMIT 20

WITH RECURSIVE tree AS (SELECT id, parent_id, name, 1 AS depth, name AS path FROM categories WHERE parent_id IS NULL UNION ALL SELECT c.id, c.parent_id, c.name, t.depth + 1, t.path || '/' || c.name FROM categories c JOIN tree t ON c.parent_id = t.id) SELECT * FROM tree ORDER BY path

WITH RECURSIVE tree (id, name) AS (SELECT id, name FROM categories WHERE id = 1 UNION ALL SELECT c.id, c.name FROM categories c JOIN tree t ON c.parent_id = t.id) SEARCH BREADTH FIRST BY id SET ord SELECT id, name FROM tree ORDER BY ord

WITH a AS MATERIALIZED (SELECT * FROM sales WHERE amount > 20), b AS (SELECT region, count(*) n FROM a GROUP BY region) SELECT * FROM b ORDER BY region

WITH moved AS (DELETE FROM jobs WHERE queue = 'q0' RETURNING *) INSERT INTO jobs (queue, payload) SELECT 'done', payload FROM moved RETURNING queue

SELECT p.id, top.amount FROM products p CROSS JOIN LATERAL (SELECT amount FROM sales s WHERE s.product_id = p.id ORDER BY amount DESC, s.id LIMIT 1) top ORDER BY p.id

SELECT d::date AS day, coalesce(sum(s.amount), 0) FROM generate_series('2026-01-01'::timestamptz, '2026-01-07', '1 day') d LEFT JOIN sales s ON s.sold_at >= d AND s.sold_at < d + interval '1 day' GROUP BY d ORDER BY d

SELECT id, title FROM products WHERE search @@ plainto_tsquery('simple', 'red product') ORDER BY ts_rank(search, plainto_tsquery('simple', 'red')) DESC, id LIMIT 5

SELECT ts_headline('simple', title, to_tsquery('simple', 'red & product')) FROM products WHERE id = 1

SELECT attributes ->> 'color', jsonb_array_length(attributes -> 'tags'), attributes -> 'tags' -> 0 FROM products ORDER BY id LIMIT 3

SELECT key, value FROM products, jsonb_each(attributes) WHERE id = 2 ORDER BY key

SELECT e.tag, count(*) FROM products, jsonb_array_elements_text(attributes -> 'tags') AS e(tag) GROUP BY 1 ORDER BY 1

SELECT jsonb_path_query_array(attributes, '$.tags[*]'), jsonb_path_exists(attributes, '$.size ? (@ > 5)') FROM products WHERE id = 7

SELECT jsonb_set(attributes, '{color}', '"blue"') - 'tags' || '{"a": 1}' FROM products WHERE id = 1

SELECT json_agg(row_to_json(c) ORDER BY id) FROM categories c

SELECT jsonb_object_agg(name, id ORDER BY id) FROM categories

SELECT array_agg(DISTINCT region ORDER BY region), string_agg(DISTINCT region, ', ' ORDER BY region) FROM sales

SELECT unnest(tags), count(*) FROM tickets GROUP BY 1 ORDER BY 1

SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b']) AS u(n, l)

SELECT regexp_replace(title, '\d+', '#', 'g'), split_part(sku, '-', 2)::int, title ~* '^RED', regexp_match(sku, '(\d+)') FROM products WHERE id < 4 ORDER BY id

SELECT to_char(sold_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), extract(dow FROM sold_at), date_part('hour', sold_at) FROM sales ORDER BY id LIMIT 3

SELECT to_char(1234567.891, 'FM9,999,999.00'), to_number('1,234.5', '9,999.9'), round(2.567, 2), trunc(2.567, 1), ceil(1.2), greatest(1, 2, 3)

SELECT CASE priority WHEN 'high' THEN 1 WHEN 'normal' THEN 2 ELSE 3 END AS p, count(*) FROM tickets GROUP BY 1 ORDER BY 1

SELECT NULLIF(channel, 'web'), coalesce(channel, 'none'), channel IS DISTINCT FROM 'web' FROM sales ORDER BY id LIMIT 5

SELECT region FROM sales INTERSECT SELECT 'north' EXCEPT SELECT 'south'

SELECT 'p' AS kind, id, title FROM products WHERE id < 3 UNION ALL SELECT 'c', id, name FROM categories WHERE id < 3 ORDER BY 1, 2

(SELECT id FROM products ORDER BY id LIMIT 2) UNION (SELECT id FROM categories ORDER BY id DESC LIMIT 2) ORDER BY 1

SELECT * FROM products WHERE id = ANY (ARRAY[1, 2]) OR (sku, stock) IN (('SKU-3', 3), ('SKU-4', 4)) ORDER BY id

SELECT * FROM sales s WHERE amount > ALL (SELECT price FROM products WHERE id < 3) AND EXISTS (SELECT FROM products p WHERE p.id = s.product_id AND p.stock > 0) ORDER BY id

SELECT p.title, (SELECT max(amount) FROM sales s WHERE s.product_id = p.id) AS best FROM products p ORDER BY best DESC NULLS LAST, p.id LIMIT 5

SELECT a.id, b.id FROM products a JOIN products b USING (stock) WHERE a.id < b.id ORDER BY 1, 2 LIMIT 5

SELECT * FROM categories c NATURAL JOIN (SELECT 1 AS id) x

SELECT c.name, p.name AS parent FROM categories c LEFT JOIN categories p ON c.parent_id = p.id ORDER BY c.id

SELECT width_bucket(price, 0, 40, 4) AS bucket, count(*), int4range(min(stock), max(stock), '[]') FROM products GROUP BY 1 ORDER BY 1

SELECT md5(title), encode(sha256(title::bytea), 'hex'), length(gen_random_uuid()::text) FROM products WHERE id = 1

SELECT format('%s has %s in stock (%L)', title, stock, sku) FROM products WHERE id = 2

SELECT pg_typeof(price), pg_column_size(title), price::text, price::int FROM products WHERE id = 1

SELECT '(1,2)'::point <-> '(4,6)'::point, box '((0,0),(1,1))' @> point '(0.5,0.5)', inet '10.0.0.5' << cidr '10.0.0.0/8', host(inet '10.1.2.3/24')

SELECT daterange('2026-01-01', '2026-02-01') && daterange('2026-01-15', '2026-03-01'), lower(int4range(1, 5)), isempty(int4range(1, 1))

SELECT xmlelement(name product, xmlattributes(id), title)::text FROM products WHERE id = 1

SELECT count(*) FROM metrics WHERE at >= '2026-01-15' AND host = 'host1'

SELECT host, date_trunc('day', at) AS day, avg(value) FROM metrics_2026_01 GROUP BY 1, 2 ORDER BY 1, 2

SELECT tableoid::regclass, count(*) FROM metrics GROUP BY 1 ORDER BY 1

SELECT * FROM products TABLESAMPLE bernoulli (100) ORDER BY id LIMIT 3

SELECT ctid, xmin::text <> '' FROM categories ORDER BY ctid

SELECT DISTINCT country::text FROM people ORDER BY 1

SELECT tenant_id, count(*), min(born), max(salary) FROM people GROUP BY tenant_id ORDER BY tenant_id

SELECT p.name FROM people p WHERE p.id IN (SELECT person_id FROM tickets) ORDER BY p.name

SELECT p1.name, p2.name FROM people p1 JOIN people p2 ON p1.email = p2.email WHERE p1.id < p2.id LIMIT 5

SELECT profile ->> 'level' AS level, count(*) FROM people GROUP BY 1 ORDER BY 1

SELECT row_to_json(p) FROM (SELECT id, name, email FROM people ORDER BY id LIMIT 2) p

SELECT json_build_object('id', id, 'mail', email) FROM people ORDER BY id LIMIT 2

SELECT concat_ws(' ', name, email, phone) FROM people WHERE tenant_id = 2 ORDER BY id

SELECT people.name, tickets.subject FROM people, tickets WHERE people.id = tickets.person_id AND tickets.state = 'open' ORDER BY tickets.id

SELECT (SELECT name FROM people WHERE id = t.person_id) FROM tickets t ORDER BY t.id LIMIT 3

SELECT * FROM (SELECT id, name, row_number() OVER (PARTITION BY tenant_id ORDER BY salary DESC) AS r FROM people) x WHERE r <= 2 ORDER BY id

SELECT date_trunc('month', opened_at) AS m, priority, count(*) FROM tickets GROUP BY 1, 2 ORDER BY 1, 2

WITH mine AS (SELECT * FROM tickets WHERE state = 'open') SELECT count(*), array_agg(id ORDER BY id) FROM mine

SELECT id, email FROM people UNION ALL SELECT id, subject FROM tickets ORDER BY 1 LIMIT 6

-- writes

INSERT INTO products (sku, title, price) VALUES ('W-1', 'w', 1), ('W-2', 'x', 2) RETURNING id, sku

INSERT INTO sales SELECT id + 10000, product_id, sold_at, quantity, amount, region, channel FROM sales WHERE id < 5

INSERT INTO settings AS s (key, value) VALUES ('theme', '"light"') ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE s.value <> excluded.value RETURNING s.key, s.value, s.updated_at

INSERT INTO settings (key, value) VALUES ('theme', '1') ON CONFLICT ON CONSTRAINT settings_pkey DO NOTHING

UPDATE products SET price = price * 1.1, title = title || '!' WHERE id BETWEEN 1 AND 5 RETURNING id, price

UPDATE products p SET stock = s.n FROM (SELECT product_id, count(*)::int AS n FROM sales GROUP BY product_id) s WHERE s.product_id = p.id

UPDATE products SET (price, stock) = (SELECT max(amount), 7 FROM sales WHERE product_id = products.id) WHERE id = 3

UPDATE products SET attributes = jsonb_set(attributes, '{size}', '99'), released = DEFAULT WHERE id = 1

UPDATE people SET is_active = false, email = lower('NEW@EXAMPLE.COM') WHERE id = 2

UPDATE people SET name = 'x' WHERE id = 2 RETURNING id, email

UPDATE tickets SET state = 'closed' WHERE opened_at < '2026-03-01' AND priority = 'low'

UPDATE tickets t SET body = p.name FROM people p WHERE p.id = t.person_id AND t.id = 3

DELETE FROM sales WHERE id < 10 RETURNING *

DELETE FROM sales USING products WHERE products.id = sales.product_id AND products.stock = 0

DELETE FROM tickets WHERE state = 'closed'

DELETE FROM people WHERE id = 999

MERGE INTO products p USING (VALUES ('SKU-1', 5), ('M-1', 6)) AS v(sku, price) ON p.sku = v.sku WHEN MATCHED THEN UPDATE SET price = v.price WHEN NOT MATCHED THEN INSERT (sku, title, price) VALUES (v.sku, 'merged', v.price)

TRUNCATE jobs

COPY products (id, sku, price) TO STDOUT

COPY (SELECT region, sum(amount) FROM sales GROUP BY 1 ORDER BY 1) TO STDOUT WITH (FORMAT csv, HEADER)

COPY people TO STDOUT (FORMAT csv, HEADER true)

COPY tickets (id, subject) TO STDOUT

REFRESH MATERIALIZED VIEW top_products

-- sessions, pools, benchmarks

BEGIN

BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY

START TRANSACTION READ WRITE

SET LOCAL statement_timeout = '30s'

SET LOCAL lock_timeout TO 1000

SET idle_in_transaction_session_timeout = '1min'

SET search_path TO public, pg_catalog

SET work_mem = '64MB'

SET enable_seqscan = off

SET TIME ZONE 'Europe/Berlin'

SET LOCAL timezone = 'UTC'

SET datestyle TO 'ISO, MDY'

SET intervalstyle = 'iso_8601'

SET SESSION application_name = 'agent'

SELECT current_setting('search_path'), current_setting('app.missing', true)

SELECT set_config('statement_timeout', '5000', true)

SHOW ALL

SHOW server_version

RESET statement_timeout

PREPARE pq (int) AS SELECT title FROM products WHERE id = $1

DEALLOCATE ALL

DECLARE cur NO SCROLL CURSOR FOR SELECT * FROM products ORDER BY id

LISTEN jobs_changed

NOTIFY jobs_changed, '1'

SELECT pg_notify('jobs_changed', '2')

UNLISTEN *

SELECT pg_backend_pid(), pg_postmaster_start_time() < now(), inet_server_port() IS NOT NULL

SELECT txid_current() > 0, pg_current_xact_id_if_assigned() IS NULL

LOCK TABLE products IN SHARE MODE

UPDATE pgb SET b = b + 1 FROM (SELECT 1 AS k) x WHERE false

SELECT abalance FROM (SELECT 0 AS abalance) pgbench_accounts
