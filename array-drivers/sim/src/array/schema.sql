CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE pool (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, total_bytes INTEGER NOT NULL);

-- Not ready: its file is being filled. Listed from the time in milliseconds `listed_at` on.
CREATE TABLE volume (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    pool INTEGER NOT NULL REFERENCES pool,
    blocks INTEGER NOT NULL,
    ready INTEGER NOT NULL DEFAULT 0,
    listed_at INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE access_group (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);

CREATE TABLE initiator (name TEXT PRIMARY KEY, access_group INTEGER NOT NULL REFERENCES access_group) WITHOUT ROWID;

CREATE TABLE mask (
    access_group INTEGER NOT NULL REFERENCES access_group,
    volume INTEGER NOT NULL REFERENCES volume,
    PRIMARY KEY (access_group, volume)
) WITHOUT ROWID;

CREATE TABLE lun (
    initiator TEXT NOT NULL REFERENCES initiator,
    number INTEGER NOT NULL,
    volume INTEGER NOT NULL REFERENCES volume,
    PRIMARY KEY (initiator, number),
    UNIQUE (initiator, volume)
) WITHOUT ROWID;
