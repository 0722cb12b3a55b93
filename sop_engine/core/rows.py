"""Holds many rows of numbers closely packed: 8 bytes a number, where a tuple of floats takes ten times as much."""

from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    import numpy as np


class Rows(Sequence[tuple[float, ...]]):
    """Rows of equally many numbers, read like a list of tuples; numpy takes them without a copy in between."""

    def __init__(self, width: int, rows: Iterable[Iterable[Any]] = ()) -> None:
        self.width = width
        self._flat = array("d")
        for row in rows:
            self.add(row)

    def add(self, row: Iterable[Any]) -> None:
        """Append one row. Raises ValueError when it has another number of values."""
        before = len(self._flat)
        self._flat.extend(map(float, row))
        if len(self._flat) - before != self.width:
            del self._flat[before:]
            raise ValueError(f"a row of {self.width} numbers was expected")

    def __len__(self) -> int:
        return len(self._flat) // self.width

    @overload
    def __getitem__(self, at: int) -> tuple[float, ...]: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[tuple[float, ...]]: ...
    def __getitem__(self, at: int | slice) -> tuple[float, ...] | Sequence[tuple[float, ...]]:
        if isinstance(at, slice):
            return [self[n] for n in range(*at.indices(len(self)))]
        place = range(len(self))[at]
        return tuple(self._flat[place * self.width : (place + 1) * self.width])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> "np.ndarray[Any, Any]":
        import numpy as np

        table = np.frombuffer(self._flat, dtype=float).reshape(-1, self.width)
        return np.array(table, dtype=dtype, copy=True) if copy or dtype not in (None, float, np.dtype(float)) else table
