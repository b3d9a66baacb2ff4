-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_single ON events (user_id, start_time, id) WHERE recurrence IS NULL;
