"""What can go wrong with a ledger.

Tree::

    CurtilageError
    └── LedgerError                exit 2
        ├── LedgerBusy             another process writes this ledger
        ├── LedgerCorrupt          what is on disk is not what was written; nothing is repaired silently
        └── LedgerUnavailable      the record is not durable: refuse the call
"""

from __future__ import annotations

from curtilage.errors import CurtilageError


class LedgerError(CurtilageError):
    """Base of the ledger's errors."""


class LedgerBusy(LedgerError):
    """Another writer holds the ledger's lock."""


class LedgerCorrupt(LedgerError):
    """The ledger on disk contradicts its own hashes or signature; a person must look."""

    exit_code = 1


class LedgerUnavailable(LedgerError):
    """The record could not be made durable; the caller must fail closed.

    Attributes:
        kept: True for an outcome that is held in memory and written as soon as the disk takes it.
    """

    def __init__(self, message: str, *, kept: bool = False) -> None:
        super().__init__(message)
        self.kept = kept
