CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- Numbers of kinds (raid, element_type, unsupported, …) are the protocol's own. A pool with a parent is a piece of that pool.
-- A private pool belongs to the one volume that was made together with it, and goes with it.
CREATE TABLE pool (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    total_bytes INTEGER NOT NULL,
    parent INTEGER REFERENCES pool,
    raid INTEGER NOT NULL,
    strip_bytes INTEGER NOT NULL,
    element_type INTEGER NOT NULL,
    unsupported INTEGER NOT NULL DEFAULT 0,
    private INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX pool_by_parent ON pool (parent);

-- Free when it is in no pool.
CREATE TABLE disk (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    blocks INTEGER NOT NULL,
    rpm INTEGER NOT NULL,
    link INTEGER NOT NULL,
    pool INTEGER REFERENCES pool
);
CREATE INDEX disk_by_pool ON disk (pool);

-- Not ready: its file is being filled. Listed from the time in milliseconds `listed_at` on. Resizing: `blocks` is decided, its
-- file may still have the size before.
CREATE TABLE volume (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    pool INTEGER NOT NULL REFERENCES pool,
    blocks INTEGER NOT NULL,
    ready INTEGER NOT NULL DEFAULT 0,
    listed_at INTEGER NOT NULL DEFAULT 0,
    resizing INTEGER NOT NULL DEFAULT 0,
    enabled INTEGER NOT NULL DEFAULT 1,
    ident_led INTEGER NOT NULL DEFAULT 0,
    write_cache INTEGER NOT NULL DEFAULT 3,
    read_cache INTEGER NOT NULL DEFAULT 2,
    disk_cache INTEGER NOT NULL DEFAULT 4
);
CREATE INDEX volume_by_pool ON volume (pool, blocks);
CREATE INDEX volume_by_time ON volume (listed_at) WHERE listed_at > 0;

-- The volume hangs on its source until the tie is dissolved. Ranged: only pieces of it do. Not whole: a mirror whose update began
-- and was not seen to end.
CREATE TABLE replica (
    volume INTEGER NOT NULL REFERENCES volume,
    source INTEGER NOT NULL REFERENCES volume,
    kind INTEGER NOT NULL,
    ranged INTEGER NOT NULL DEFAULT 0,
    whole INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (volume, source)
) WITHOUT ROWID;
CREATE INDEX replica_by_source ON replica (source);

CREATE TABLE access_group (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);

CREATE TABLE initiator (name TEXT PRIMARY KEY, access_group INTEGER NOT NULL REFERENCES access_group) WITHOUT ROWID;
CREATE INDEX initiator_by_group ON initiator (access_group, name);

-- Passwords are for the array alone, and this one has no use for them: whoever would log in is remembered, with what is not.
CREATE TABLE chap (initiator TEXT PRIMARY KEY, in_user TEXT, out_user TEXT) WITHOUT ROWID;

CREATE TABLE mask (
    access_group INTEGER NOT NULL REFERENCES access_group,
    volume INTEGER NOT NULL REFERENCES volume,
    PRIMARY KEY (access_group, volume)
) WITHOUT ROWID;
CREATE INDEX mask_by_volume ON mask (volume);

-- A volume shown to one initiator, whatever group that is in.
CREATE TABLE map (
    initiator TEXT NOT NULL,
    volume INTEGER NOT NULL REFERENCES volume,
    PRIMARY KEY (initiator, volume)
) WITHOUT ROWID;
CREATE INDEX map_by_volume ON map (volume);

-- Under which number an initiator sees a volume, be it by mask, by map, or by both.
CREATE TABLE lun (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    initiator TEXT NOT NULL,
    number INTEGER NOT NULL,
    volume INTEGER NOT NULL REFERENCES volume,
    UNIQUE (initiator, number),
    UNIQUE (initiator, volume)
);
CREATE INDEX lun_by_volume ON lun (volume);

-- The volume is what the job makes; none when it makes nothing.
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    volume INTEGER,
    started_at INTEGER NOT NULL,
    done_at INTEGER NOT NULL
);
