-- Not ready: its tree is being filled. Listed from the time in milliseconds `listed_at` on. A clone depends on its source until
-- the tie is cut.
CREATE TABLE fs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    pool INTEGER NOT NULL REFERENCES pool,
    bytes INTEGER NOT NULL,
    source INTEGER REFERENCES fs,
    ready INTEGER NOT NULL DEFAULT 0,
    listed_at INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX fs_by_source ON fs (source) WHERE source IS NOT NULL;

-- `bytes` is what the tree held when it was taken.
CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    fs INTEGER NOT NULL REFERENCES fs ON DELETE CASCADE,
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    taken_at INTEGER NOT NULL,
    ready INTEGER NOT NULL DEFAULT 0,
    listed_at INTEGER NOT NULL DEFAULT 0,
    UNIQUE (fs, name)
);

-- A file that was cloned from another of its file system, until the tie is cut.
CREATE TABLE file_clone (
    fs INTEGER NOT NULL REFERENCES fs ON DELETE CASCADE,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    PRIMARY KEY (fs, target)
) WITHOUT ROWID;

CREATE TABLE export (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    fs INTEGER NOT NULL REFERENCES fs,
    path TEXT NOT NULL UNIQUE,
    auth TEXT NOT NULL,
    anon_uid INTEGER NOT NULL,
    anon_gid INTEGER NOT NULL,
    options TEXT
);

-- `access` is root, rw or ro.
CREATE TABLE export_host (
    export INTEGER NOT NULL REFERENCES export ON DELETE CASCADE,
    access TEXT NOT NULL,
    host TEXT NOT NULL,
    PRIMARY KEY (export, access, host)
) WITHOUT ROWID;
