-- Reads the table beside running writes; a lock that is held long is not taken.
ALTER TABLE users VALIDATE CONSTRAINT users_role;
