"""The life of a benefit that was given: which act leads from which states to which, as a table."""

from collections.abc import Mapping
from dataclasses import dataclass

KINDS = ("code", "shared", "entitlement", "external")
"""What a grant is: a code of its own from a pool, a public code, an attribute for a time, or a coupon of a provider."""

COUNTED = ("reserved", "issued", "redeemed", "expired")
"""States that count in limits and budgets: what was promised, though it was never used."""


@dataclass(frozen=True, slots=True)
class Act:
    """What may happen to a grant: in these states, and the state it is in then."""

    before: tuple[str, ...]
    after: str


ACTS: Mapping[str, Act] = {
    "reserve": Act(("released",), "reserved"),  # the touch is tried again, with the same code
    "issue": Act(("reserved",), "issued"),
    "release": Act(("reserved",), "released"),
    "redeem": Act(("issued", "reserved", "expired"), "redeemed"),  # expired: used in time, told later; reserved: so it did arrive
    "reverse": Act(("redeemed",), "issued"),
    "expire": Act(("issued",), "expired"),
    "void": Act(("reserved", "issued"), "voided"),
}
"""Every act is one conditional UPDATE with these states in its condition: of two at the same time one happens, the other finds it done."""
