-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_recurring ON events (user_id, id) WHERE recurrence IS NOT NULL;
