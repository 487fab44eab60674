-- Where SQLite is asked it is alone, and its server knows whom it has: an index of random keys would cost it most of its speed.
CREATE TABLE identity (lookup BYTES NOT NULL, key_version BIGINT NOT NULL, subject BYTES NOT NULL, sealed BYTES NOT NULL);
--postgres ALTER TABLE identity ADD PRIMARY KEY (lookup);
CREATE TABLE event_batch (seq COUNTED, received BIGINT NOT NULL, events BIGINT NOT NULL, payload BYTES NOT NULL);
CREATE TABLE rejected_event (seq COUNTED, received BIGINT NOT NULL, rule TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE snapshot (version BIGINT PRIMARY KEY, made BIGINT NOT NULL, document BYTES NOT NULL);
CREATE TABLE decision_batch (
  seq COUNTED, first_id BYTES NOT NULL, last_id BYTES NOT NULL, decisions BIGINT NOT NULL, payload BYTES NOT NULL
);
CREATE INDEX decision_batch_ids ON decision_batch (first_id, last_id);
