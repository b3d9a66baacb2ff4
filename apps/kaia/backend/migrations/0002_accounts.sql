-- Safe under load: no table is rewritten (new columns are nullable or have a constant default), and a migration that
-- does not get its lock soon gives up instead of making every request queue behind it.
SET LOCAL lock_timeout = '3s';

ALTER TABLE users
    ADD COLUMN phone text,
    ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC',
    ADD COLUMN language text NOT NULL DEFAULT 'es',
    ADD COLUMN role text NOT NULL DEFAULT 'user';
ALTER TABLE users ADD CONSTRAINT users_role CHECK (role IN ('user', 'admin')) NOT VALID;

-- Somebody asked for an account; it becomes one when the address is verified. Several may wait for one address: each is
-- confirmed by the token of its own mail alone.
CREATE TABLE registrations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL,
    password_hash text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX registrations_email ON registrations (lower(email), id);

-- One login. Its refresh tokens are a family: each is used once, and one that comes back ends them all.
CREATE TABLE sessions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
CREATE INDEX sessions_of_user ON sessions (user_id) WHERE ended_at IS NULL;

CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id bigint NOT NULL REFERENCES sessions ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_expired ON refresh_tokens (expires_at);

CREATE TABLE password_resets (
    token_hash bytea PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX password_resets_of_user ON password_resets (user_id);
