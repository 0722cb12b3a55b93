"""Hand-written scripts on the raw driver: fill a queue of touches, claim and finish them, and send them all the way."""

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from jinja2 import StrictUndefined
from jinja2 import Template as Compiled
from jinja2.sandbox import ImmutableSandboxedEnvironment

from benchmarks.activity import ZONE
from benchmarks.by_hand.columns import column_of
from benchmarks.stock import instant_text
from sop_engine.core.project import Project
from sop_engine.core.template import Template
from sop_engine.core.writing import Writer

CLAIM = (
    "UPDATE touches SET state = 'queued', epoch = epoch + 1, lease_until = :lease WHERE id IN "
    "(SELECT id FROM touches WHERE state = 'planned' AND due_at <= :now ORDER BY due_at, rank DESC, id LIMIT :most) RETURNING id"
)
FLOW = "thanks/best"


def fill(raw: sqlite3.Connection, users: Sequence[int], due: datetime, *, each: int = 1, apart: timedelta = timedelta()) -> None:
    """A run for each of these users and in it so many planned touches, the first due now and each next one `apart` later."""
    at, today = instant_text(due), due.astimezone(ZONE).toordinal()
    first = raw.execute("SELECT COALESCE(MAX(id), 0) + 1 FROM runs").fetchone()[0]
    raw.execute("BEGIN IMMEDIATE")
    raw.executemany(
        "INSERT INTO runs (id, user_id, flow, version, start_key, cause, started_at, started_day, anchor_day, held_out, state) "
        f"VALUES (?, ?, '{FLOW}', 1, 'bench' || ?1, '', '{at}', {today}, {today}, 0, 'open')",
        ((first + n, user) for n, user in enumerate(users)),
    )
    times = [(instant_text(due + apart * n), instant_text(due + apart * n + timedelta(days=1))) for n in range(each)]
    raw.executemany(
        "INSERT INTO touches (run_id, user_id, flow, step, occurrence, state, due_at, first_due_at, late_at, rank, epoch, attempts) "
        f"VALUES (?1, ?2, '{FLOW}', 'first', ?3, 'planned', ?4, ?4, ?5, 1, 0, 0)",
        ((first + n, user, str(k), when, late) for k, (when, late) in enumerate(times) for n, user in enumerate(users)),
    )
    raw.execute("COMMIT")


def claim_and_finish(raw: sqlite3.Connection, now: datetime, batch: int, batches: int) -> None:
    """Claim, commit, mark as sent, commit."""
    given = {"now": instant_text(now), "lease": instant_text(now + timedelta(minutes=5)), "most": batch}
    for _ in range(batches):
        raw.execute("BEGIN IMMEDIATE")
        ids = raw.execute(CLAIM, given).fetchall()
        raw.execute("COMMIT")
        raw.execute("BEGIN IMMEDIATE")
        raw.executemany(
            f"UPDATE touches SET state = 'sent', done_at = '{given['now']}', lease_until = NULL WHERE id = ? AND state = 'queued'", ids
        )
        raw.execute("COMMIT")


@dataclass(frozen=True)
class Plain:
    """A template compiled once in a sandbox: no check of names, no fallbacks."""

    subject: Compiled
    body: Compiled

    @staticmethod
    def of(template: Template, *, html: bool = False) -> "Plain":
        """The compiled template, with the filters the engine has."""
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=html)
        writer = Writer("en", "CNY")
        environment.filters.update({"money": writer.money, "number": writer.number})
        return Plain(environment.from_string(template.subject), environment.from_string(template.body))

    def write(self, values: dict[str, Any]) -> tuple[str, str]:
        """Subject and text."""
        return self.subject.render(values), self.body.render(values)


def send_all(raw: sqlite3.Connection, project: Project, text: Plain, now: datetime, batch: int, send: Callable[[Any], None]) -> int:
    """Claim what is due, look once more, write the texts, note the intents, hand over, note the outcome; how many were sent."""
    at, today = instant_text(now), now.astimezone(ZONE).toordinal()
    lease = instant_text(now + timedelta(minutes=5))
    orders, spent, active, ordered = (column_of(project, n) for n in ("orders_365", "spent_365", "quiet", "since_order"))
    read = (
        "SELECT t.id, t.user_id, json_extract(u.attributes, '$.name'), json_extract(u.attributes, '$.mail'), "
        f"m.{orders}, m.{spent}, :today - m.{active}, :today - m.{ordered}, p.level, "
        "(SELECT COUNT(*) FROM touches s WHERE s.user_id = t.user_id AND s.intent_day = :today AND s.state IN ('sending', 'sent')), "
        "EXISTS (SELECT 1 FROM opt_outs o WHERE o.user_id = t.user_id) "
        "FROM touches t JOIN runs r ON r.id = t.run_id JOIN users u ON u.id = t.user_id LEFT JOIN user_metrics m ON m.user_id = u.id "
        "LEFT JOIN placements p ON p.model = 'value' AND p.user_id = u.id "
        "WHERE t.state = 'queued' AND t.lease_until = :lease AND r.state = 'open'"
    )
    intent = (
        "UPDATE touches SET state = 'sending', purpose = 'marketing', channel = 'letter', template = 'thanks_letter', subject = ?, "
        f"body = ?, address = ?, level = ?, cost = 0, attempts = 1, intent_at = '{at}', intent_day = {today}, lease_until = '{lease}', "
        "content_type = 'offer' WHERE id = ? AND state = 'queued'"
    )
    sent = 0
    while True:
        raw.execute("BEGIN IMMEDIATE")
        ids = raw.execute(CLAIM, {"now": at, "lease": lease, "most": batch}).fetchall()
        raw.execute("COMMIT")
        if not ids:
            return sent
        raw.execute("BEGIN IMMEDIATE")
        rows = raw.execute(read, {"today": today, "lease": lease}).fetchall()
        intents, messages = [], []
        for touch, user, name, mail, many, money, quiet, since, level, before, refused in rows:
            if mail is None or refused or before >= 20 or level == "asleep":
                continue
            recency = 5 - sum(since > most for most in (14, 30, 60, 120)) if since is not None else None
            values = {"name": name or "friend", "orders_365": Decimal(many or 0), "spent_365": Decimal(str(money or 0)), "quiet": quiet}
            subject, body = text.write({**values, "recency": recency, "link": {"shop": "https://shop.example/new"}})
            key = hashlib.sha256(f"bench|{touch}|letter|0".encode()).hexdigest()[:32]
            intents.append((subject, body, mail, level, touch))
            messages.append({"key": key, "user": user, "to": mail, "subject": subject, "text": body})
        raw.executemany(intent, intents)
        raw.execute("COMMIT")
        for message in messages:
            send(message)
        raw.execute("BEGIN IMMEDIATE")
        raw.executemany(
            f"UPDATE touches SET state = 'sent', done_at = '{at}', provider_id = ?, lease_until = NULL WHERE id = ? AND state = 'sending'",
            [(message["key"], row[-1]) for message, row in zip(messages, intents, strict=True)],
        )
        raw.execute("COMMIT")
        sent += len(messages)
