"""Rows about what goes out: the queue, dispatch to a channel that does nothing, and the writing of texts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from time import perf_counter
from typing import ClassVar

from benchmarks.by_hand.queue import Plain, claim_and_finish, fill, send_all
from benchmarks.everybody import Both, opened
from benchmarks.measuring import Figure, alternate
from benchmarks.stock import NOW, Stock, project
from sop_engine.actions.deliver import deliver
from sop_engine.actions.release import BATCH, release_due
from sop_engine.app import App
from sop_engine.channels.contract import Capability, Message, Receipt
from sop_engine.core.conditions import Value
from sop_engine.core.errors import DeliveryError
from sop_engine.rendering import render
from sop_engine.store import touches
from sop_engine.store.queue import claim_due

RENDERED = 2_000
CLAIMS = 10_000  # touches of one run: a run takes a second or so
PER_USER = 10
VALUES: dict[str, Value | None] = {
    "name": "Li & Co",
    "orders_365": Decimal(12),
    "spent_365": Decimal("1234.5"),
    "quiet": Decimal(3),
    "recency": Decimal(5),
}
SHOP = "https://shop.example/new"


class Null:
    """Takes every message and does nothing with it."""

    kind: ClassVar[str] = "null"
    capability: ClassVar[Capability] = Capability(batch=BATCH, remote=False)

    def send(self, message: Message) -> Receipt:
        """Taken."""
        return Receipt(message.key, "accepted")

    def send_many(self, messages: Sequence[Message]) -> list[Receipt | DeliveryError]:
        """All taken."""
        return [self.send(m) for m in messages]

    def close(self) -> None:
        """Nothing is open."""


def queue(stock: Stock, times: int, planned: int) -> Iterator[Figure]:
    """Claim and done in batches of 500, with very many rows planned; how the rate holds as the queue is worked through."""
    with opened(stock.copied("queue")) as both:
        users = range(1, planned // PER_USER + 1)
        fill(both.lite, users, NOW - timedelta(days=1), each=PER_USER, apart=timedelta(minutes=1))
        found = alternate(
            {
                "ours": lambda: claim(both.app, CLAIMS // BATCH),
                "hand": lambda: claim_and_finish(both.lite, NOW, BATCH, CLAIMS // BATCH),
            },
            times,
        )
        left = planned - 2 * times * CLAIMS
        claim(both.app, max(0, left // 2 - CLAIMS) // BATCH)
        begun = perf_counter()
        claim(both.app, CLAIMS // BATCH)
        notes = {
            "planned": planned,
            "claimed before the last 10 k": planned - left + max(0, left // 2 - CLAIMS),
            "last 10 k to the median": round(found["ours"].seconds / (perf_counter() - begun), 2),
        }
    name = f"claim and done, batches of {BATCH}, {planned:,} planned"
    yield Figure(name, stock.users, found["ours"], found["hand"], "raw SQL", "≥ 10 k/s", work=CLAIMS, notes=notes)


def claim(app: App, batches: int) -> None:
    """Claim and finish so many batches through the engine."""
    for _ in range(batches):
        with app.transaction() as tx:
            claimed = claim_due(tx, NOW, NOW + app.ladder.lease, BATCH)
        ids = [one.id for one in claimed]
        with app.transaction() as tx:
            touches.write(tx, "queued", [{"touch": t, "state": "sent", "done_at": NOW, "lease_until": None} for t in ids])


def dispatch(stock: Stock, times: int, sends: int) -> Iterator[Figure]:
    """Claim, guard, render, intent, done: everything but a provider."""
    with opened(stock.copied("dispatch")) as both:
        app = replace(both.app, adapters=lambda _app, _channel: Null(), _opened={})
        awake = [row[0] for row in both.lite.execute("SELECT user_id FROM placements WHERE model = 'value' AND level <> 'asleep'")]
        text = Plain.of(both.project.template("thanks_letter", None))
        null = Null()
        moment = {"now": NOW}

        def plan(number: int, name: str) -> None:
            moment["now"] = NOW + timedelta(seconds=2 * number + (name == "hand"))
            fill(both.lite, _some(awake, sends, number), moment["now"])

        def ours() -> int:
            return _dispatch(app, moment["now"])

        def by_hand() -> int:
            return send_all(both.lite, both.project, text, moment["now"], BATCH, lambda _message: null.close())

        found = alternate({"ours": ours, "hand": by_hand}, times, before=plan)
        notes = {"handed over in a run": {name: t.answer for name, t in found.items()}, "unlike sent": _unlike(both)}
    yield Figure(
        "dispatch to a null channel", stock.users, found["ours"], found["hand"], "raw-driver script", "≥ 5 k/s", work=sends, notes=notes
    )


def _some(listed: Sequence[int], many: int, number: int) -> list[int]:
    """As many of them, others each time as far as there are enough."""
    begin = number * many % max(1, len(listed) - many + 1)
    return list(listed[begin : begin + many])


def _dispatch(app: App, now: datetime) -> int:
    handed = 0

    def hand_over(hints: Sequence[tuple[int, int]], _lane: int) -> None:
        nonlocal handed
        handed += deliver(app, hints, now)

    while release_due(app, now, hand_over):
        pass
    return handed


def _unlike(both: Both) -> dict[str, int]:
    rows = both.lite.execute("SELECT state || COALESCE(' ' || reason, ''), COUNT(*) FROM touches WHERE state <> 'sent' GROUP BY 1")
    return dict(rows.fetchall())


def rendering(times: int) -> Iterator[Figure]:
    """A subject and a text with five values, two filters and a condition; as text and as HTML."""
    template = project().template("thanks_letter", None)
    for html in (False, True):
        plain = Plain.of(template, html=html)

        def ours(html: bool = html) -> str:
            return [render(template, VALUES, locale="en", links={"shop": SHOP}, html=html).text for _ in range(RENDERED)][-1]

        def by_hand(plain: Plain = plain) -> str:
            return [plain.write({**VALUES, "link": {"shop": SHOP}})[1] for _ in range(RENDERED)][-1]

        found = alternate({"ours": ours, "hand": by_hand}, times)
        words = "subject and HTML" if html else "subject and text"
        notes = {"same text": found["ours"].answer == found["hand"].answer}
        yield Figure(
            f"rendering, {words}", None, found["ours"], found["hand"], "plain cached sandboxed Jinja2", "≥ 0.8", work=RENDERED, notes=notes
        )
