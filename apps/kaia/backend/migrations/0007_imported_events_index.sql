-- no-transaction
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS events_ical_uid ON events (user_id, ical_uid) WHERE ical_uid IS NOT NULL;
