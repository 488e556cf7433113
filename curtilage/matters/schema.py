"""The directory's tables. ``changes`` is append-only by trigger and hash-chained, so that a silent edit of who-could-see-what shows.

Written in SQLite's words; :mod:`curtilage.matters.postgresql` says the same tables in PostgreSQL's.
"""

from __future__ import annotations

SCHEMA_VERSION = 2

SCHEMA = """
CREATE TABLE IF NOT EXISTS identities (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('person', 'service')),
    clearance TEXT NOT NULL CHECK (clearance IN ('public', 'internal', 'confidential', 'privileged')),
    active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1))
) STRICT;
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY, identity TEXT NOT NULL REFERENCES identities (id),
    salt BLOB NOT NULL, digest BLOB NOT NULL, expires_at REAL, revoked INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1))
) STRICT;
CREATE TABLE IF NOT EXISTS matters (
    id TEXT PRIMARY KEY, jurisdiction TEXT NOT NULL,
    confidentiality TEXT NOT NULL CHECK (confidentiality IN ('public', 'internal', 'confidential', 'privileged')),
    personal_data TEXT NOT NULL DEFAULT 'placeholder' CHECK (personal_data IN ('placeholder', 'allow')),
    legal_hold INTEGER NOT NULL DEFAULT 0 CHECK (legal_hold IN (0, 1)),
    is_open INTEGER NOT NULL DEFAULT 1 CHECK (is_open IN (0, 1)), secret BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS memberships (
    identity TEXT NOT NULL REFERENCES identities (id), matter TEXT NOT NULL REFERENCES matters (id), PRIMARY KEY (identity, matter)
) STRICT;
CREATE TABLE IF NOT EXISTS walls (
    identity TEXT NOT NULL REFERENCES identities (id), matter TEXT NOT NULL REFERENCES matters (id), reason TEXT NOT NULL,
    PRIMARY KEY (identity, matter)
) STRICT;
CREATE TABLE IF NOT EXISTS changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,
    detail TEXT NOT NULL, previous TEXT NOT NULL, digest TEXT NOT NULL
) STRICT;
"""

APPEND_ONLY = """
CREATE TRIGGER IF NOT EXISTS changes_keep BEFORE UPDATE ON changes BEGIN SELECT RAISE(ABORT, 'changes are append-only'); END;
CREATE TRIGGER IF NOT EXISTS changes_stay BEFORE DELETE ON changes BEGIN SELECT RAISE(ABORT, 'changes are append-only'); END;
"""

# What version 2 adds, as statements that bring a version 1 file forward and complete a new one.
UPGRADE = (
    "ALTER TABLE matters ADD COLUMN purposes TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE matters ADD COLUMN direction TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE matters ADD COLUMN closed_at REAL",
    "ALTER TABLE matters ADD COLUMN shredded_at REAL",
    "ALTER TABLE memberships ADD COLUMN purposes TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE memberships ADD COLUMN expires_at REAL",
    """CREATE TABLE subjects (
        kind TEXT NOT NULL CHECK (kind IN ('oidc', 'mtls')), issuer TEXT NOT NULL, subject TEXT NOT NULL,
        identity TEXT NOT NULL REFERENCES identities (id), PRIMARY KEY (kind, issuer, subject)
    ) STRICT""",
    """CREATE TABLE grants (
        id TEXT PRIMARY KEY, identity TEXT NOT NULL REFERENCES identities (id), matter TEXT NOT NULL REFERENCES matters (id),
        reason TEXT NOT NULL, requested_by TEXT NOT NULL, requested_at REAL NOT NULL,
        minutes INTEGER NOT NULL CHECK (minutes BETWEEN 1 AND 480),
        approved_by TEXT, expires_at REAL, revoked INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1)),
        CHECK (approved_by IS NULL OR approved_by NOT IN (requested_by, identity))
    ) STRICT""",
    """CREATE TABLE terms (
        matter TEXT NOT NULL REFERENCES matters (id), term TEXT NOT NULL, type TEXT NOT NULL DEFAULT 'CLIENT_TERM',
        PRIMARY KEY (matter, term)
    ) STRICT""",
)
