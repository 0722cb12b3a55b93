"""F38: a slow account has all children of a worker but one at most; the touches of others do not wait for it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from subprocess import run
from sys import executable

import pytest
from sqlalchemy import text

from sop_engine.actions.ingest import record_events
from sop_engine.core.records import EventRecord
from sop_engine.worker.seats import KNOWN_S, FileSeats
from tests.conftest import Databases
from tests.faults.provider import Provider
from tests.faults.wave import SECRET
from tests.servers import Server
from tests.worker.production import PROJECT, TEXT, Production, now, until

SLOW, QUICK = 45, 20  # of the slow one more than the children can begin at once, in messages of 20
SECOND = """
---
playbook: q
intent: cultivate
start: {event: order}
goal: buys
again: always
steps:
  hi: {at: now, send: quick}
"""


@pytest.fixture
def seats(tmp_path: Path) -> FileSeats:
    """The seats of a worker with three children."""
    return FileSeats(tmp_path, 3)


def other(seats: FileSeats) -> FileSeats:
    """Another child of the same worker."""
    return FileSeats(seats.folder, seats.children)


def test_f38_an_account_that_is_not_known_to_be_quick_is_called_by_all_children_but_one(seats: FileSeats) -> None:
    second, third = other(seats), other(seats)
    assert [child.take("slow") for child in (seats, second, third)] == [True, True, False]
    assert seats.take("slow"), "who has a seat keeps it"
    assert third.take("another")
    second.leave()
    assert third.take("slow")
    for child in (seats, second, third):
        child.leave()


def test_f38_a_quick_account_is_called_by_all_until_it_is_slow_or_was_not_called_for_long(seats: FileSeats) -> None:
    children = [seats, other(seats), other(seats)]
    seats.note("sms", 0.1)
    assert all(child.take("sms") for child in children)
    seats.note("sms", 5.0)
    assert [child.take("sms") for child in children] == [True, True, False]
    seats.note("sms", 0.1)
    assert children[2].take("sms")
    (known,) = seats.folder.glob("*-quick")
    os.utime(known, (known.stat().st_atime, known.stat().st_mtime - KNOWN_S - 1))
    assert not children[2].take("sms")
    for child in children:
        child.leave()


def test_f38_a_child_that_dies_leaves_its_seat(seats: FileSeats) -> None:
    dies = (
        f"from pathlib import Path; from sop_engine.worker.seats import FileSeats; FileSeats(Path({str(seats.folder)!r}), 2).take('slow')"
    )
    run([executable, "-c", dies + "; import os; os.kill(os.getpid(), 9)"], check=False)
    two = FileSeats(seats.folder, 2)
    assert two.take("slow")
    two.leave()


def test_f38_the_only_child_of_a_worker_calls_everybody(tmp_path: Path) -> None:
    assert FileSeats(tmp_path, 1).take("slow")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def shop(tmp_path: Path, migrated_postgres: Databases, redis_server: Server) -> Iterator[tuple[Production, Provider, Provider]]:
    """Two channels with a provider each; touches of both are due, those of the slow one first."""
    for name in ("slow", "quick"):
        (tmp_path / name).mkdir()
    slow, quick = Provider.start(tmp_path / "slow"), Provider.start(tmp_path / "quick")
    slow.script(always="accept_slow")
    folder, url = tmp_path / "shop", migrated_postgres.copy()
    folder.mkdir()
    accounts = "".join(f'["{c}"]\nurl = "{p.url}"\nsecret = "env:FAULT_SECRET"\n' for c, p in (("sms", slow), ("push", quick)))
    (folder / "channels.toml").write_text(accounts)
    os.environ["FAULT_SECRET"] = SECRET
    live = {"sending": "live", "webhook_loopback": "true", "channels_file": "channels.toml", "lease_s": "24", "instance": url[-8:]}
    made = Production.make(folder, url, redis_server.url, via="webhook", **live)
    two = PROJECT.replace("  sms: {via: CHANNEL, to: phone}", "  sms: {via: webhook, to: phone}\n  push: {via: webhook, to: phone}")
    (folder / "playbooks/shop.yml").write_text(two + SECOND)
    (folder / "templates/quick.md").write_text(TEXT.replace("template: hello", "template: quick").replace("channel: sms", "channel: push"))
    made.sop("apply", "--yes", "--no-test")
    at, app = now(), made.app
    record_events(app, [EventRecord(f"c{n}", f"s{n}", "cart", at, {}, "user", "test") for n in range(SLOW)], at)
    fields = [{"order_id": f"o{n}"} for n in range(QUICK)]
    record_events(app, [EventRecord(f"o{n}", f"q{n}", "order", at, f, "user", "test") for n, f in enumerate(fields)], at)
    with app.transaction() as tx:
        tx.execute(text("""UPDATE users SET attributes = '{"phone": "13800000000"}'"""))
    yield made, slow, quick
    made.close()
    slow.close()
    quick.close()
    migrated_postgres.drop(url.rpartition("/")[2])


@pytest.mark.slow
def test_f38_a_slow_provider_does_not_hold_up_a_quick_one(shop: tuple[Production, Provider, Provider]) -> None:
    production, slow, quick = shop
    production.start("scheduler")
    production.start("worker", "--concurrency", "2")
    until(lambda: sum(quick.taken().values()) == QUICK, deadline_s=120, told=production.logs)
    began = min(at for at in times(quick))
    assert sum(at < began for at in times(slow)) <= 3


def times(provider: Provider) -> list[float]:
    """When each message was taken, by the machine's clock."""
    return [json.loads(line)["at"] for line in provider.log.read_text().splitlines()]
