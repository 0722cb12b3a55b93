"""Leaves room for other accounts: one that is slow, or not yet known to be quick, is called by all children of a worker but one.

Kept in files of the worker's own, for children share nothing else: a lock ends with the process that held it, however it died.
"""

import fcntl
import os
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

QUICK_S = 1.0  # a call that takes longer makes its account a slow one
KNOWN_S = 60.0  # how long it is remembered that an account was quick


@dataclass
class FileSeats:
    """The seats of one worker's children in a folder; one child holds at most one."""

    folder: Path
    children: int
    _held: dict[str, int] = field(default_factory=dict)  # by account: the open file whose lock is ours

    def take(self, account: str) -> bool:
        """Whether this child may call the account now."""
        if self.children == 1 or account in self._held or self._is_quick(account):
            return True
        for number in range(self.children - 1):
            file = os.open(self._file(account, f"seat-{number}"), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(file)
            else:
                self._held[account] = file
                return True
        return False

    def note(self, account: str, seconds: float) -> None:
        """A call to the account took so long."""
        known = self._file(account, "quick")
        if seconds <= QUICK_S:
            known.touch(0o600)
        else:
            known.unlink(missing_ok=True)

    def leave(self) -> None:
        """Give the seat to another child."""
        while self._held:
            os.close(self._held.popitem()[1])

    def _is_quick(self, account: str) -> bool:
        try:
            return time.time() - self._file(account, "quick").stat().st_mtime < KNOWN_S
        except FileNotFoundError:
            return False

    def _file(self, account: str, what: str) -> Path:
        return self.folder / f"{sha256(account.encode()).hexdigest()[:24]}-{what}"
