CREATE TABLE identity (lookup BYTEA PRIMARY KEY, key_version BIGINT NOT NULL, subject BYTEA NOT NULL, sealed BYTEA NOT NULL);
CREATE TABLE event_batch (seq BIGSERIAL PRIMARY KEY, received BIGINT NOT NULL, events BIGINT NOT NULL, payload BYTEA NOT NULL);
CREATE TABLE rejected_event (seq BIGSERIAL PRIMARY KEY, received BIGINT NOT NULL, rule TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE snapshot (version BIGINT PRIMARY KEY, made BIGINT NOT NULL, document BYTEA NOT NULL);
CREATE TABLE decision_batch (
  seq BIGSERIAL PRIMARY KEY, first_id BYTEA NOT NULL, last_id BYTEA NOT NULL, decisions BIGINT NOT NULL, payload BYTEA NOT NULL
);
CREATE INDEX decision_batch_ids ON decision_batch (first_id, last_id);
