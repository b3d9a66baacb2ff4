//! Databases that nobody prepared for this: what is proposed for them is carried out as it stands.

#![allow(clippy::unwrap_used)] // A test may panic.

mod cluster;

use ambit_data::masking::{Language, render};
use cluster::Cluster;

/// A record shop: quoted names in mixed case, and people who are named in more than one place.
const RECORDS: &str = r#"
CREATE TABLE "Artist" ("ArtistId" int PRIMARY KEY, "Name" varchar(120));
CREATE TABLE "Album" ("AlbumId" int PRIMARY KEY, "Title" varchar(160) NOT NULL, "ArtistId" int NOT NULL REFERENCES "Artist");
CREATE TABLE "Genre" ("GenreId" int PRIMARY KEY, "Name" varchar(120));
CREATE TABLE "Track" ("TrackId" int PRIMARY KEY, "Name" varchar(200) NOT NULL, "AlbumId" int REFERENCES "Album",
  "GenreId" int REFERENCES "Genre", "Composer" varchar(220), "Milliseconds" int NOT NULL, "UnitPrice" numeric(10,2) NOT NULL);
CREATE TABLE "Employee" ("EmployeeId" int PRIMARY KEY, "LastName" varchar(20) NOT NULL, "FirstName" varchar(20) NOT NULL,
  "Title" varchar(30), "ReportsTo" int REFERENCES "Employee", "BirthDate" timestamp, "Address" varchar(70), "City" varchar(40),
  "PostalCode" varchar(10), "Phone" varchar(24), "Email" varchar(60));
CREATE TABLE "Customer" ("CustomerId" int PRIMARY KEY, "FirstName" varchar(40) NOT NULL, "LastName" varchar(20) NOT NULL,
  "Company" varchar(80), "Address" varchar(70), "City" varchar(40), "State" varchar(40), "Country" varchar(40), "PostalCode" varchar(10),
  "Phone" varchar(24), "Fax" varchar(24), "Email" varchar(60) NOT NULL, "SupportRepId" int REFERENCES "Employee");
CREATE TABLE "Invoice" ("InvoiceId" int PRIMARY KEY, "CustomerId" int NOT NULL REFERENCES "Customer", "InvoiceDate" timestamp NOT NULL,
  "BillingAddress" varchar(70), "BillingCity" varchar(40), "BillingCountry" varchar(40), "Total" numeric(10,2) NOT NULL);
INSERT INTO "Artist" VALUES (1, 'Marta Quiroga'), (2, 'The Lamplighters'), (3, 'Juan Antonio Zabala'), (4, 'Pit & Peter');
INSERT INTO "Album" VALUES (1, 'Marta Quiroga Live', 1), (2, 'Streetlights', 2), (3, 'Waltzes', 3);
INSERT INTO "Genre" VALUES (1, 'Rock'), (2, 'Jazz');
INSERT INTO "Track" SELECT i, 'Song number ' || i, 1 + i % 3, 1 + i % 2,
  (ARRAY['Marta Quiroga', 'Juan Antonio Zabala', 'Inés Prado, Leo Olmedo', NULL])[1 + i % 4], 1000 * i, 0.99 FROM generate_series(1, 300) i;
INSERT INTO "Employee" VALUES (1, 'Prado', 'Inés', 'General Manager', NULL, '1962-02-18', 'Calle Ocho 12', 'Madrid', '28001', '+34 612 345 001', 'ines.prado@records.example'),
  (2, 'Galindo', 'Noa', 'Sales Support Agent', 1, '1973-08-29', 'Calle Nueve 7', 'Sevilla', '41001', '+34 612 345 002', 'noa.galindo@records.example');
INSERT INTO "Customer" SELECT i, 'Cliente' || i, 'Apellido' || i, CASE WHEN i % 3 = 0 THEN 'Talleres ' || i || ' S.L.' END, 'Avenida Larga ' || i, 'Madrid', NULL, 'Spain',
  '28' || lpad(i::text, 3, '0'), '+34 6' || lpad((i * 7919)::text, 8, '0'), NULL, 'cliente' || i || '.apellido@correo.example', 1 + i % 2 FROM generate_series(1, 59) i;
INSERT INTO "Invoice" SELECT i, 1 + i % 59, '2024-01-01', 'Avenida Larga ' || 1 + i % 59, 'Madrid', 'Spain', 9.9 FROM generate_series(1, 400) i;
"#;

/// A rental: triggers, a domain, an enum, an aggregate, full text, arrays, partitions, views.
const RENTAL: &str = r#"
CREATE DOMAIN year AS int CHECK (VALUE BETWEEN 1901 AND 2155);
CREATE TYPE rating AS ENUM ('G', 'PG', 'R');
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.last_update = now(); RETURN NEW; END $$;
CREATE FUNCTION comma(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce($1 || ', ', '') || $2 $$;
CREATE AGGREGATE listed(text) (SFUNC = comma, STYPE = text);
CREATE TABLE actor (actor_id serial PRIMARY KEY, first_name text NOT NULL, last_name text NOT NULL, last_update timestamptz NOT NULL DEFAULT now());
CREATE TABLE film (film_id serial PRIMARY KEY, title text NOT NULL, description text, release_year year, rating rating DEFAULT 'G',
  rental_rate numeric(4,2) NOT NULL DEFAULT 4.99, special_features text[], fulltext tsvector NOT NULL DEFAULT '', last_update timestamptz NOT NULL DEFAULT now());
CREATE TABLE film_actor (actor_id int REFERENCES actor, film_id int REFERENCES film, PRIMARY KEY (actor_id, film_id));
CREATE TABLE address (address_id serial PRIMARY KEY, address text NOT NULL, address2 text, district text NOT NULL, postal_code text, phone text NOT NULL);
CREATE TABLE store (store_id serial PRIMARY KEY, manager_staff_id int NOT NULL UNIQUE, address_id int NOT NULL REFERENCES address);
CREATE TABLE staff (staff_id serial PRIMARY KEY, first_name text NOT NULL, last_name text NOT NULL, address_id int NOT NULL REFERENCES address,
  email text, store_id int NOT NULL REFERENCES store, active bool NOT NULL DEFAULT true, username text NOT NULL, password text, picture bytea);
ALTER TABLE store ADD FOREIGN KEY (manager_staff_id) REFERENCES staff DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE customer (customer_id serial PRIMARY KEY, store_id int NOT NULL REFERENCES store, first_name text NOT NULL, last_name text NOT NULL,
  email text, address_id int NOT NULL REFERENCES address, activebool bool NOT NULL DEFAULT true, create_date date NOT NULL DEFAULT current_date);
CREATE TABLE payment (payment_id serial, customer_id int NOT NULL REFERENCES customer, amount numeric(5,2) NOT NULL, payment_date timestamptz NOT NULL,
  PRIMARY KEY (payment_date, payment_id)) PARTITION BY RANGE (payment_date);
CREATE TABLE payment_p1 PARTITION OF payment FOR VALUES FROM ('2022-01-01') TO ('2022-04-01');
CREATE TABLE payment_p2 PARTITION OF payment FOR VALUES FROM ('2022-04-01') TO ('2023-01-01');
CREATE TRIGGER last_updated BEFORE UPDATE ON film FOR EACH ROW EXECUTE FUNCTION touched();
CREATE TRIGGER film_fulltext BEFORE INSERT OR UPDATE ON film FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger('fulltext', 'pg_catalog.english', 'title', 'description');
CREATE INDEX ON film USING gist (fulltext);
CREATE VIEW customer_list AS SELECT c.customer_id, c.first_name || ' ' || c.last_name AS name, a.address FROM customer c JOIN address a USING (address_id);
CREATE MATERIALIZED VIEW income AS SELECT customer_id, sum(amount) FROM payment GROUP BY 1;
INSERT INTO actor (first_name, last_name) SELECT 'ACTOR' || i, 'LAST' || i FROM generate_series(1, 50) i;
INSERT INTO film (title, description, release_year, special_features) SELECT 'FILM ' || i, 'A Thrilling Story of a Baker And a Pilot ' || i || ' who must find a Lighthouse', 2006, '{Trailers,"Deleted Scenes"}' FROM generate_series(1, 100) i;
INSERT INTO film_actor SELECT 1 + i % 50, 1 + i % 100 FROM generate_series(0, 99) i;
INSERT INTO address (address, address2, district, postal_code, phone) SELECT i || ' Workhaven Lane', '', 'Alberta', '35' || lpad(i::text, 3, '0'), '14033335' || lpad(i::text, 3, '0') FROM generate_series(1, 80) i;
BEGIN;
INSERT INTO store VALUES (1, 1, 1); INSERT INTO staff (first_name, last_name, address_id, email, store_id, username, password, picture)
  VALUES ('Mike', 'Hillyer', 3, 'Mike.Hillyer@staff.example', 1, 'Mike', '8cb2237d0679ca88db6464eac60da96345513964', '\x89504e470d0a');
COMMIT;
INSERT INTO customer (store_id, first_name, last_name, email, address_id) SELECT 1, 'MARY' || i, 'SMITH' || i, 'MARY' || i || '.SMITH@customers.example', 1 + i % 80 FROM generate_series(1, 200) i;
INSERT INTO payment (customer_id, amount, payment_date) SELECT 1 + i % 200, 2.99, timestamptz '2022-01-15' + i * interval '7 hours' FROM generate_series(1, 800) i;
REFRESH MATERIALIZED VIEW income; ANALYZE;
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_proposed_for_a_database_can_be_copied_by_and_leaks_nothing() {
    let cluster = Cluster::start();
    for (name, declared) in [("records", RECORDS), ("rental", RENTAL)] {
        cluster.sql("postgres", &format!("CREATE DATABASE {name}"));
        cluster.sql(name, declared);
        let proposals = ambit_data::proposals(&cluster.database(name), "").await.unwrap();
        let file = render(Language::English, &proposals);
        let report = cluster.copy(name, "copied", &file).await.unwrap_or_else(|e| panic!("{name}: {e:?}\n{file}"));
        assert!(report.is_clean(), "{name}: {:?}\n{file}", report.leaks.leaks);
        let declared = ["--schema-only"];
        assert_eq!(cluster.dump(name, &declared), cluster.dump("copied", &declared), "{name}");
    }
    let records = ambit_data::proposals(&cluster.database("records"), "").await.unwrap();
    let rule = |column: &str| records.iter().find(|p| p.name.column == column).map(|p| p.rule.to_string()).unwrap();
    assert_eq!((rule("Email"), rule("Total")), ("email".to_owned(), "keep".to_owned()));
    let artist = records.iter().find(|p| p.name.table == "Artist" && p.name.column == "Name").unwrap();
    assert!(artist.rule.to_string() != "keep" && artist.reason.contains("public.Track.Composer"), "{artist:?}");
    assert_eq!(cluster.sql("copied", "SELECT count(*) FROM customer WHERE email LIKE '%customers.example'"), "0");
}
