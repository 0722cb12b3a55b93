"""What a foreign event is called here, and in which of its properties our fields stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field

IDENTIFY = "identify"  # the line of the map that is about traits


@dataclass(frozen=True, slots=True)
class Foreign:
    """One line of the map. `fields`: our field (or attribute) -> their property (or trait), where the two differ."""

    event: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


USUAL: Mapping[str, Foreign] = {
    "Order Completed": Foreign("order", {"amount": "revenue", "code": "coupon"}),
    "Order Refunded": Foreign("refund", {"amount": "total"}),
    "Product Viewed": Foreign("browse"),
}
"""What shops' clients usually send, for projects that have an event of our name and say nothing else."""
