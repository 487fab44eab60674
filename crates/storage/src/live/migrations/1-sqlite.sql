CREATE TABLE identity (lookup BLOB NOT NULL, key_version BIGINT NOT NULL, subject BLOB NOT NULL, sealed BLOB NOT NULL);
CREATE TABLE event_batch (seq INTEGER PRIMARY KEY AUTOINCREMENT, received BIGINT NOT NULL, events BIGINT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE rejected_event (seq INTEGER PRIMARY KEY AUTOINCREMENT, received BIGINT NOT NULL, rule TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE snapshot (version BIGINT PRIMARY KEY, made BIGINT NOT NULL, document BLOB NOT NULL);
CREATE TABLE decision_batch (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, first_id BLOB NOT NULL, last_id BLOB NOT NULL, decisions BIGINT NOT NULL, payload BLOB NOT NULL
);
CREATE INDEX decision_batch_ids ON decision_batch (first_id, last_id);
