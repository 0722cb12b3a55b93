"""Says what an account at a cloud signs its requests with."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Key:
    """An access key. Neither part is in its repr."""

    id: str = field(repr=False)
    secret: str = field(repr=False)
