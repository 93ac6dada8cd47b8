-- One row: the virtual clock in milliseconds since the epoch, null when the array goes by the machine's.
CREATE TABLE clock (ms INTEGER);
INSERT INTO clock VALUES (NULL);

-- What the job makes, if anything: a volume, fs or snapshot. A job with a failure ends in ERROR.
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT,
    item INTEGER,
    started_at INTEGER NOT NULL,
    done_at INTEGER NOT NULL,
    failure INTEGER
);

-- What failed jobs have made; never listed, and removed when the clock reaches `at`.
CREATE TABLE doomed (
    kind TEXT NOT NULL,
    item INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (kind, item)
) WITHOUT ROWID;

-- How many calls a rule has seen; `file` tells one writing of the file of rules from another, and is empty for a URI's.
CREATE TABLE fault_call (
    file TEXT NOT NULL,
    rule TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (file, rule)
) WITHOUT ROWID;

-- Lists as they were up to a moment.
CREATE TABLE past_list (id INTEGER PRIMARY KEY, list TEXT NOT NULL, until INTEGER NOT NULL, records TEXT NOT NULL);
CREATE INDEX past_list_by_time ON past_list (list, until);
