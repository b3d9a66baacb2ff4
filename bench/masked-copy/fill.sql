-- :users users; six events, two sessions and one entry of the audit for each.
SELECT setseed(0.42);
CREATE TEMP TABLE words AS SELECT ARRAY['reunión','llamada','informe','médico','viaje','cena','proyecto','entrega','revisión','cliente',
  'presupuesto','compra','gimnasio','colegio','banco','taller','entrevista','cumpleaños','vuelo','reserva','contrato','visita','curso','ensayo'] AS w;
CREATE TEMP TABLE names AS SELECT
  ARRAY['Lucía','Mateo','Valentina','Hugo','Sofía','Leo','Camila','Diego','Elena','Álvaro','Nora','Bruno','Irene','Iker','Alba','Marc'] AS f,
  ARRAY['Serrano','Quiroga','Bermúdez','Zabala','Olmedo','Pizarro','Carmona','Escudero','Villalba','Marchena','Urrutia','Galindo','Tejada','Rivas'] AS l;
CREATE FUNCTION pg_temp.say(n int, seed bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT string_agg((SELECT w FROM words)[1 + abs(hashint8(seed * 31 + i)) % 24], ' ') FROM generate_series(1, n) i $$;
INSERT INTO users (id, email, full_name, phone, password_hash, profile, created_at)
SELECT md5('u' || i)::uuid,
  lower(translate(f[1 + i % 16], 'áéíóúÁ', 'aeioua')) || '.' || lower(translate(l[1 + (i / 16) % 14], 'áéíóú', 'aeiou')) || i || '@' || (ARRAY['gmail.com','correo.es','empresa.mx'])[1 + i % 3],
  f[1 + i % 16] || ' ' || l[1 + (i / 16) % 14] || ' ' || l[1 + (i / 224) % 14],
  '+34 6' || lpad((i::bigint * 7919 % 100000000)::text, 8, '0'),
  '$2b$10$' || substr(md5('p' || i) || md5('q' || i), 1, 53),
  jsonb_build_object('nickname', f[1 + i % 16] || i, 'theme', 'dark', 'device', 'Pixel 8',
    'address', jsonb_build_object('street', 'Calle ' || l[1 + i % 14] || ' ' || i % 200, 'city', 'Ciudad ' || i % 500)),
  timestamptz '2024-01-01' + i * interval '1 minute'
FROM generate_series(1, :users) i, names;
INSERT INTO events (user_id, title, notes, place, kind, starts_at, ends_at)
SELECT md5('u' || (1 + i % :users))::uuid, pg_temp.say(4, i), pg_temp.say(30, i + 7), 'Avenida ' || i % 9000 || ', ' || i % 300,
  (ARRAY['work','family','health'])[1 + i % 3], timestamptz '2025-01-01' + i * interval '37 seconds', timestamptz '2025-01-01 01:00' + i * interval '37 seconds'
FROM generate_series(1, :users * 6) i;
INSERT INTO sessions (user_id, refresh_token, ip, user_agent, expires_at)
SELECT md5('u' || (1 + i % :users))::uuid, md5('t' || i) || md5('s' || i), ('83.' || i % 250 || '.' || i / 250 % 250 || '.' || i / 62500 % 250)::inet,
  'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36', timestamptz '2026-01-01' + i * interval '1 second'
FROM generate_series(1, :users * 2) i;
INSERT INTO audit (user_id, action, detail)
SELECT u.id, 'login', jsonb_build_object('email', u.email, 'ok', true, 'client', 'app ' || i % 40)
FROM generate_series(1, :users) i JOIN users u ON u.id = md5('u' || i)::uuid;
ANALYZE;
