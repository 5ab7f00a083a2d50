-- The version of this schema, and that of the oldest program that works with it: one schema behind may go on while the
-- servers of an installation are replaced one by one. A migration sets both.
CREATE TABLE schema (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    oldest INTEGER NOT NULL
) STRICT;
INSERT INTO schema (id, version, oldest) VALUES (1, 1, 1);

-- Raised by whatever changes blocks, delegates or the domain, so that servers need not read those to see whether they are
-- other than before.
CREATE TABLE generation (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL) STRICT;
INSERT INTO generation (id, value) VALUES (1, 0);

-- The latest time that a server has seen, in seconds since 1970-01-01T00:00:00Z.
CREATE TABLE clock (id INTEGER PRIMARY KEY CHECK (id = 1), latest INTEGER NOT NULL) STRICT;

-- The id of the data key, that key wrapped, the salt of a passphrase, and the key of the audit log sealed.
CREATE TABLE keyring (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    key_id TEXT NOT NULL,
    data_key BLOB NOT NULL,
    salt BLOB NOT NULL,
    audit_key BLOB NOT NULL
) STRICT;

-- Records, master secrets and the document of the domain.
CREATE TABLE sealed_rows (
    collection TEXT NOT NULL,
    service TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (collection, service, kind, id)
) STRICT, WITHOUT ROWID;

-- Times are in seconds since 1970-01-01T00:00:00Z.
CREATE TABLE replays (key BLOB PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX replays_expires ON replays (expires);
CREATE TABLE replay_hold (id INTEGER PRIMARY KEY CHECK (id = 1), until INTEGER NOT NULL) STRICT;

CREATE TABLE issues (
    user_uri TEXT NOT NULL,
    period INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (user_uri, period)
) STRICT, WITHOUT ROWID;

CREATE TABLE delegates (
    principal TEXT NOT NULL,
    user_uri TEXT NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (principal, user_uri)
) STRICT, WITHOUT ROWID;

CREATE TABLE blocks (uri TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    server TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    principal TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    period INTEGER,
    outcome TEXT NOT NULL,
    request_id TEXT NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (server, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_heads (
    server TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    mac BLOB NOT NULL,
    seal BLOB NOT NULL
) STRICT, WITHOUT ROWID;
