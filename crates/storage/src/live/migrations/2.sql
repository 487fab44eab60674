CREATE TABLE limit_of (
  name TEXT PRIMARY KEY, most BIGINT NOT NULL, reserved BIGINT NOT NULL DEFAULT 0, committed BIGINT NOT NULL DEFAULT 0,
  CHECK (reserved >= 0), CHECK (committed >= 0), CHECK (reserved + committed <= most)
);
CREATE TABLE reservation (
  id TEXT PRIMARY KEY, request BYTES NOT NULL, amount BIGINT NOT NULL, made BIGINT NOT NULL, expires BIGINT NOT NULL, state BIGINT NOT NULL
);
CREATE INDEX reservation_expiry ON reservation (state, expires);
CREATE TABLE reserved_part (
  reservation TEXT NOT NULL REFERENCES reservation (id), name TEXT NOT NULL, amount BIGINT NOT NULL, committed BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (reservation, name)
);
