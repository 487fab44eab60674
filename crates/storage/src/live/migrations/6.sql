-- Which server wrote it: the others read it from here.
ALTER TABLE event_batch ADD COLUMN origin BIGINT NOT NULL DEFAULT 0;
ALTER TABLE decision_batch ADD COLUMN origin BIGINT NOT NULL DEFAULT 0;
--postgres ALTER TABLE identity ADD COLUMN seq BIGSERIAL;
