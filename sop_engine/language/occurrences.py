"""Counts how often the same row came before, in memory that does not grow with the file."""

_BYTES = 1 << 25  # 32 MB of bits: of a million different rows less than one is taken for a repeat, of ten million about a thousand


class Occurrences:
    """Numbers equal rows 0, 1, 2 …

    A set of bits says which rows are new; only those that seem to have come before are counted one by one. A row that is wrongly
    taken for a repeat still has a number of its own, and the same one whenever the same rows come in the same order.
    """

    def __init__(self) -> None:
        self._bits = bytearray(_BYTES)
        self._again: dict[bytes, int] = {}

    def number(self, digest: bytes) -> int:
        """How many rows with this digest (at least 16 bytes) came before."""
        if self._is_new(digest):
            return 0
        self._again[digest] = self._again.get(digest, 0) + 1
        return self._again[digest]

    def _is_new(self, digest: bytes) -> bool:
        new = False
        for start in (0, 4, 8, 12):
            place = int.from_bytes(digest[start : start + 4], "big") % (_BYTES * 8)
            bit = 1 << (place & 7)
            new = new or not self._bits[place >> 3] & bit
            self._bits[place >> 3] |= bit
        return new
