-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_reminders ON events (next_reminder_at) WHERE next_reminder_at IS NOT NULL;
