-- Tables like Kaia's, with personal values of every common kind.
CREATE TABLE users (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  email text NOT NULL UNIQUE,
  full_name varchar(80) NOT NULL,
  phone text,
  password_hash text NOT NULL,
  locale text NOT NULL DEFAULT 'es',
  profile jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users,
  title text NOT NULL,
  notes text,
  place text,
  kind text NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX events_user ON events (user_id, starts_at);
CREATE TABLE sessions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users,
  refresh_token text NOT NULL UNIQUE,
  ip inet,
  user_agent text NOT NULL,
  expires_at timestamptz NOT NULL);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE TABLE audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id uuid REFERENCES users,
  action text NOT NULL,
  detail jsonb NOT NULL,
  at timestamptz NOT NULL DEFAULT now());
CREATE INDEX audit_at ON audit (at);
