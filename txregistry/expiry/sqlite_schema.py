"""The tables of the ledger in SQLite.

``entries`` has a row for each thing that a repository holds, ``contents`` one for each
content, and ``accounts`` the sum of their sizes. Triggers keep the two in step with the
entries within the same transaction, so that a question about the sum reads one row. A
file of a release that did not have them gets them at its first use.
"""

from __future__ import annotations

from txregistry.interfaces.expiry import NEVER

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    repository TEXT NOT NULL, kind TEXT NOT NULL, reference TEXT NOT NULL,
    size INTEGER NOT NULL, last_use REAL NOT NULL,
    PRIMARY KEY (repository, kind, reference)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_use ON entries (last_use);
CREATE INDEX IF NOT EXISTS entries_by_reference ON entries (reference);
DROP TABLE IF EXISTS confirmed;
CREATE TABLE IF NOT EXISTS confirmations (
    repository TEXT NOT NULL, reference TEXT NOT NULL, at REAL NOT NULL,
    what TEXT NOT NULL, PRIMARY KEY (repository, reference)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS contents (
    reference TEXT NOT NULL PRIMARY KEY, size INTEGER NOT NULL, last_use REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS contents_by_use ON contents (last_use, reference);
CREATE TABLE IF NOT EXISTS accounts (bytes INTEGER NOT NULL);
INSERT INTO accounts SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM accounts);
CREATE TRIGGER IF NOT EXISTS content_added AFTER INSERT ON contents BEGIN
    UPDATE accounts SET bytes = bytes + (NEW.size * (NEW.last_use < :never));
END;
CREATE TRIGGER IF NOT EXISTS content_changed AFTER UPDATE ON contents
WHEN (NEW.size * (NEW.last_use < :never)) != (OLD.size * (OLD.last_use < :never)) BEGIN
    UPDATE accounts SET bytes = bytes + (NEW.size * (NEW.last_use < :never))
        - (OLD.size * (OLD.last_use < :never));
END;
CREATE TRIGGER IF NOT EXISTS content_removed AFTER DELETE ON contents BEGIN
    UPDATE accounts SET bytes = bytes - (OLD.size * (OLD.last_use < :never));
END;
CREATE TRIGGER IF NOT EXISTS entry_added AFTER INSERT ON entries
WHEN NEW.kind != 'tag' BEGIN
    INSERT INTO contents VALUES (NEW.reference, NEW.size, NEW.last_use)
    ON CONFLICT DO UPDATE SET size = max(size, excluded.size),
        last_use = max(last_use, excluded.last_use);
END;
CREATE TRIGGER IF NOT EXISTS entry_changed AFTER UPDATE ON entries
WHEN NEW.kind != 'tag' BEGIN
    UPDATE contents SET last_use = CASE WHEN NEW.last_use >= OLD.last_use
        THEN max(last_use, NEW.last_use) ELSE (SELECT max(last_use) FROM entries
            WHERE reference = NEW.reference AND kind != 'tag') END,
        size = CASE NEW.size WHEN 0 THEN size ELSE NEW.size END
    WHERE reference = NEW.reference;
END;
CREATE TRIGGER IF NOT EXISTS entry_removed AFTER DELETE ON entries
WHEN OLD.kind != 'tag' BEGIN
    UPDATE contents SET last_use = coalesce((SELECT max(last_use) FROM entries
        WHERE reference = OLD.reference AND kind != 'tag'), last_use)
    WHERE reference = OLD.reference;
    DELETE FROM contents WHERE reference = OLD.reference AND NOT EXISTS (
        SELECT 1 FROM entries WHERE reference = OLD.reference AND kind != 'tag');
END;
INSERT INTO contents SELECT reference, max(size), max(last_use) FROM entries
WHERE kind != 'tag' AND NOT EXISTS (SELECT 1 FROM contents) GROUP BY reference;
"""

#: Statements that define tables take no parameters.
SCHEMA = _SCHEMA.replace(":never", repr(NEVER))
