ALTER TABLE limit_of ADD COLUMN leased BIGINT NOT NULL DEFAULT 0;
--postgres ALTER TABLE limit_of ADD CHECK (leased >= 0 AND reserved + committed + leased <= most);
CREATE TABLE limit_slice (
  name TEXT NOT NULL, holder TEXT NOT NULL, most BIGINT NOT NULL, reserved BIGINT NOT NULL DEFAULT 0, committed BIGINT NOT NULL DEFAULT 0,
  until BIGINT NOT NULL, PRIMARY KEY (name, holder),
  CHECK (reserved >= 0), CHECK (committed >= 0), CHECK (reserved + committed <= most)
);
CREATE INDEX limit_slice_until ON limit_slice (until);
ALTER TABLE reserved_part ADD COLUMN holder TEXT NOT NULL DEFAULT '';
