-- A small shop with two tenants. People write card numbers into notes, as people do; all numbers
-- here are the test numbers that card schemes publish.
CREATE TABLE customers (
    id        integer PRIMARY KEY,
    tenant_id integer NOT NULL,
    name      text    NOT NULL,
    email     text    NOT NULL,
    phone     text
);

CREATE TABLE orders (
    id          integer PRIMARY KEY,
    tenant_id   integer NOT NULL,
    customer_id integer NOT NULL REFERENCES customers,
    item        text    NOT NULL,
    amount      numeric(10, 2) NOT NULL,
    status      text    NOT NULL
);

CREATE TABLE payments (
    id        integer PRIMARY KEY,
    tenant_id integer NOT NULL,
    order_id  integer NOT NULL,
    amount    numeric(10, 2) NOT NULL,
    note      text
);

INSERT INTO customers VALUES
    (1, 1, 'Ines Roth',    'ines.roth@mail.example',   '+49 30 5550101'),
    (2, 1, 'Omar Haddad',  'omar@haddad.example',      '+49 40 5550144'),
    (3, 1, 'Lena Fischer', 'l.fischer@post.example',   NULL),
    (4, 2, 'Pavel Novak',  'pavel.novak@mail.example', '+420 2 5550122'),
    (5, 2, 'Mia Jansen',   'mia@jansen.example',       '+31 20 5550199');

INSERT INTO orders VALUES
    (1, 1, 1, 'desk lamp',      39.90, 'shipped'),
    (2, 1, 1, 'office chair',  249.00, 'open'),
    (3, 1, 2, 'monitor arm',    89.50, 'open'),
    (4, 2, 4, 'standing desk', 599.00, 'shipped'),
    (5, 2, 5, 'desk lamp',      39.90, 'open'),
    (6, 2, 5, 'cable tray',     19.90, 'open'),
    (7, 1, 3, 'notebook stand', 45.00, 'open');

INSERT INTO payments VALUES
    (1, 1, 1,  39.90, 'paid at once'),
    (2, 1, 2, 249.00, 'called in, wants to pay with 4111 1111 1111 1111, exp 12/27'),
    (3, 1, 3,  89.50, 'card 5500-0000-0000-0004 declined twice'),
    (4, 2, 4, 599.00, 'bank transfer'),
    (5, 2, 5,  39.90, 'amex 340000000000009 on file');
