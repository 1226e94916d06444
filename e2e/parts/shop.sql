-- A small shop. Nobody in it exists; the card numbers are the networks' published test numbers.
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, email text, ssn text, notes text);
CREATE TABLE orders (
    id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, assigned_to text NOT NULL, amount numeric(10, 2) NOT NULL
);
INSERT INTO customers VALUES
    (1, 'Ada', 'ada@example.com', '123-45-6789', 'paid with 4111 1111 1111 1111, call back'),
    (2, 'Ben', 'ben@example.com', '987-65-4321', 'prefers mail');
INSERT INTO orders
    SELECT number, 1 + number % 2,
           'system:serviceaccount:shop:' || CASE WHEN number % 2 = 0 THEN 'triage' ELSE 'someone-else' END, number * 10
      FROM generate_series(1, 20) AS number;
CREATE ROLE shop_user NOLOGIN;
GRANT SELECT, INSERT, UPDATE, DELETE ON customers, orders TO shop_user;
