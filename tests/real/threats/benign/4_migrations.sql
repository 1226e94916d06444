-- migrations

CREATE TABLE invoices (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants (id), total numeric(10, 2) NOT NULL CHECK (total >= 0), issued date DEFAULT current_date, note text COLLATE "C", UNIQUE (tenant_id, issued))

CREATE TABLE IF NOT EXISTS "flyway_schema_history" ("installed_rank" INT NOT NULL, "version" VARCHAR(50), "description" VARCHAR(200) NOT NULL, "script" VARCHAR(1000) NOT NULL, "checksum" INTEGER, "installed_by" VARCHAR(100) NOT NULL, "installed_on" TIMESTAMP NOT NULL DEFAULT now(), "success" BOOLEAN NOT NULL)

CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))

ALTER TABLE products ADD COLUMN IF NOT EXISTS note text NOT NULL DEFAULT ''

ALTER TABLE "products" ALTER COLUMN "title" TYPE varchar(500) USING "title"::varchar(500), ALTER COLUMN "stock" SET DEFAULT 1

ALTER TABLE products RENAME COLUMN weight TO mass

ALTER TABLE products DROP COLUMN released CASCADE

ALTER TABLE sales ADD CONSTRAINT sales_positive CHECK (quantity > 0) NOT VALID

ALTER TABLE sales VALIDATE CONSTRAINT sales_product_id_fkey

ALTER TABLE categories RENAME TO groups

CREATE UNIQUE INDEX IF NOT EXISTS products_title ON products (lower(title)) WHERE stock > 0

CREATE INDEX products_attributes ON products USING gin (attributes jsonb_path_ops)

DROP INDEX IF EXISTS sales_by_day

CREATE VIEW cheap AS SELECT id, title FROM products WHERE price < 10

CREATE OR REPLACE VIEW sales_by_month AS SELECT date_trunc('month', sold_at) AS month, region, sum(amount) AS total FROM sales WHERE amount > 0 GROUP BY 1, 2

CREATE MATERIALIZED VIEW by_region AS SELECT region, count(*) FROM sales GROUP BY region WITH NO DATA

DROP VIEW IF EXISTS cheap

CREATE TABLE summary AS SELECT region, sum(amount) AS total FROM sales GROUP BY region

CREATE TEMP TABLE tmp_ids (id int) ON COMMIT DROP

CREATE TEMPORARY TABLE tmp_sales ON COMMIT DROP AS SELECT * FROM sales WHERE id < 10

CREATE TYPE status AS ENUM ('new', 'done')

ALTER TYPE priority RENAME VALUE 'low' TO 'lowest'

CREATE SEQUENCE invoice_no START 1000 INCREMENT BY 5

CREATE SCHEMA IF NOT EXISTS reporting

CREATE DOMAIN positive AS int CHECK (VALUE > 0)

COMMENT ON COLUMN products.title IS 'Shown to people'

CREATE FUNCTION add_one(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i + 1'

CREATE TABLE parted (id int, at date) PARTITION BY RANGE (at)

CREATE TABLE metrics_2026_03 PARTITION OF metrics FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')

CREATE TABLE copy_of (LIKE products INCLUDING DEFAULTS INCLUDING CONSTRAINTS)

CREATE STATISTICS sales_region (dependencies) ON region, channel FROM sales

ANALYZE products

ALTER TABLE products ENABLE TRIGGER USER

DROP TABLE IF EXISTS nothing_of_that_name

GRANT SELECT ON products TO PUBLIC

INSERT INTO schema_migrations (version) VALUES ('20260301000000')

SELECT pg_advisory_xact_lock(7215)

DROP TABLE schema_migrations
