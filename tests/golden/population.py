"""The 18 golden users with known results: read from users.yml, as records, in any order of arrival."""

import random
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sop_engine.core.records import EventRecord, UserRecord
from tests.builders import at

FILE = Path(__file__).parent / "users.yml"


@dataclass(frozen=True)
class Golden:
    """Users, their events, and what must come out, by user."""

    clock: datetime
    users: tuple[UserRecord, ...]
    events: tuple[EventRecord, ...]
    expect: dict[str, dict[str, Any]]
    frozen: dict[str, Any]

    def shuffled(self, seed: int) -> list[EventRecord]:
        """The events in another order of arrival."""
        mixed = list(self.events)
        random.Random(seed).shuffle(mixed)
        return mixed


@cache
def golden_users() -> Golden:
    """Everybody in the file."""
    read = yaml.safe_load(FILE.read_text("utf-8"))
    users, events = [], []
    for user in read["users"]:
        followers = Decimal(user["attributes"]["followers"])
        users.append(UserRecord(user["id"], at(user["attributes"]["registered"]), {"粉丝数": followers, "社区角色": None}))
        events += [_event(user["id"], number, told) for number, told in enumerate(user["events"])]
    return Golden(at(read["clock"]), tuple(users), tuple(events), {u["id"]: u["expect"] for u in read["users"]}, read["frozen"])


def _event(user: str, number: int, told: dict[str, Any]) -> EventRecord:
    fields = {key: value for key, value in told.items() if key not in ("at", "type")}
    if "order" in fields:
        fields["order_id"] = fields.pop("order")
    if "amount" in fields:
        fields["amount"] = Decimal(fields["amount"])
    return EventRecord(f"{user}-{number}", user, told["type"], at(told["at"]), fields)
