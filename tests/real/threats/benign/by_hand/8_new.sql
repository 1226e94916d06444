-- pg17

SELECT jt.* FROM purchase p, JSON_TABLE(p.meta, '$.items[*]' COLUMNS (ord FOR ORDINALITY, sku text PATH '$.sku', n int PATH '$.n')) AS jt ORDER BY jt.n

SELECT id, JSON_VALUE(meta, '$.channel'), JSON_VALUE(meta, '$.items[0].n' RETURNING int DEFAULT 0 ON EMPTY), JSON_QUERY(meta, '$.items' WITH WRAPPER), JSON_EXISTS(meta, '$.items[*] ? (@.n > 10)') FROM purchase ORDER BY id LIMIT 5

SELECT JSON_OBJECT('id': id, 'email': email ABSENT ON NULL RETURNING jsonb), JSON_ARRAY(id, full_name), JSON_SCALAR(id), JSON_SERIALIZE(preferences RETURNING text) FROM app_user ORDER BY id LIMIT 2

SELECT JSON_OBJECTAGG(id: total ABSENT ON NULL), JSON_ARRAYAGG(status ORDER BY id RETURNING jsonb) FROM purchase WHERE user_id < 6

SELECT '{"a": 1}' IS JSON OBJECT, bio IS JSON FROM app_user ORDER BY id LIMIT 1

MERGE INTO product p USING staging_product s ON p.sku = s.sku WHEN MATCHED THEN UPDATE SET price = s.price WHEN NOT MATCHED THEN INSERT (sku, name, price) VALUES (s.sku, s.name, s.price) RETURNING merge_action(), p.sku, p.price

MERGE INTO purchase p USING (VALUES (3::bigint, 'm')) v(id, note) ON p.id = v.id WHEN MATCHED THEN UPDATE SET note = v.note RETURNING merge_action(), p.id, p.note

WITH m AS (MERGE INTO product p USING staging_product s ON p.sku = s.sku WHEN NOT MATCHED BY SOURCE AND p.id > 25 THEN DELETE RETURNING p.id) SELECT * FROM m ORDER BY 1

SELECT any_value(full_name) IS NOT NULL, array_shuffle(ARRAY[1]), array_sample(ARRAY[1], 1), random_normal() IS NOT NULL, date_add(timestamptz '2024-01-01+00', interval '1 day', 'UTC'), erf(0.5) > 0 FROM app_user

SELECT to_bin(5), to_oct(9), random(1, 1), unistr('\0061'), uuid_extract_version(gen_random_uuid())

SELECT total AT LOCAL FROM (SELECT timestamp '2024-01-01' AS total) x

SELECT 0x1F, 0b11, 1_000_000, 0o17

COPY (SELECT id, sku FROM product ORDER BY id LIMIT 2) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *)

EXPLAIN (ANALYZE, MEMORY, SERIALIZE text, TIMING off, SUMMARY off, COSTS off, BUFFERS off) SELECT 1
