SET LOCAL lock_timeout = '3s';

ALTER TABLE events
    ADD COLUMN location text NOT NULL DEFAULT '',
    ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC',
    -- An RRULE of RFC 5545, and when its last occurrence ends where it has one.
    ADD COLUMN recurrence text,
    ADD COLUMN recurs_until timestamptz,
    ADD COLUMN reminder_minutes integer,
    ADD COLUMN next_reminder_at timestamptz,
    ADD COLUMN ical_uid text,
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();

-- What a creation with an Idempotency-Key made, so that its repetition makes nothing.
CREATE TABLE idempotency_keys (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    event_id bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
