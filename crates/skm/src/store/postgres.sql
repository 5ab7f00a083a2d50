-- The version of this schema, and that of the oldest program that works with it: one schema behind may go on while the
-- servers of an installation are replaced one by one. A migration sets both.
CREATE TABLE schema (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL,
    oldest BIGINT NOT NULL
);
INSERT INTO schema (id, version, oldest) VALUES (1, 1, 1);

-- Raised by whatever changes blocks, delegates or the domain, so that servers need not read those to see whether they are
-- other than before.
CREATE TABLE generation (id BIGINT PRIMARY KEY CHECK (id = 1), value BIGINT NOT NULL);
INSERT INTO generation (id, value) VALUES (1, 0);

-- The latest time that a server has seen, in seconds since 1970-01-01T00:00:00Z.
CREATE TABLE clock (id BIGINT PRIMARY KEY CHECK (id = 1), latest BIGINT NOT NULL);

-- The id of the data key, that key wrapped, the salt of a passphrase, and the key of the audit log sealed.
CREATE TABLE keyring (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    key_id TEXT NOT NULL,
    data_key BYTEA NOT NULL,
    salt BYTEA NOT NULL,
    audit_key BYTEA NOT NULL
);

-- Records, master secrets and the document of the domain.
CREATE TABLE sealed_rows (
    collection TEXT NOT NULL,
    service TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (collection, service, kind, id)
);

-- Times are in seconds since 1970-01-01T00:00:00Z.
CREATE TABLE replays (key BYTEA PRIMARY KEY, expires BIGINT NOT NULL);
CREATE INDEX replays_expires ON replays (expires);
CREATE TABLE replay_hold (id BIGINT PRIMARY KEY CHECK (id = 1), until BIGINT NOT NULL);

CREATE TABLE issues (
    user_uri TEXT NOT NULL,
    period BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (user_uri, period)
);

CREATE TABLE delegates (
    principal TEXT NOT NULL,
    user_uri TEXT NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (principal, user_uri)
);

CREATE TABLE blocks (uri TEXT PRIMARY KEY);

CREATE TABLE audit (
    server TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    time BIGINT NOT NULL,
    principal TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    period BIGINT,
    outcome TEXT NOT NULL,
    request_id TEXT NOT NULL,
    mac BYTEA NOT NULL,
    PRIMARY KEY (server, sequence)
);

CREATE TABLE audit_heads (
    server TEXT PRIMARY KEY,
    sequence BIGINT NOT NULL,
    mac BYTEA NOT NULL,
    seal BYTEA NOT NULL
);
