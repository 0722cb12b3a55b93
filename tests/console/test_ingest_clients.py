"""Segment's own clients, unmodified, against `sop web` that is killed in the middle: every event is stored, and stored once."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from segment.analytics.client import Client
from sqlalchemy import func, select

from sop_engine.actions.keys import make_key
from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import upgrade
from tests.console.ingesting import events
from tests.processes import Process, until
from tests.shop import Shop
from tests.shop_project import CATALOGUE

CLIENTS = Path(__file__).parent.parent / "clients"
FEW = 300
EVENTS = int(os.environ.get("SOP_TEST_EVENTS") or FEW)
pytestmark = pytest.mark.slow  # starting and killing a server takes seconds


class Till:
    """A shop in a folder, served by `sop web` on one port that stays the same when the server is killed and started again."""

    def __init__(self, folder: Path) -> None:
        (folder / "playbooks").mkdir()
        self.folder, self.port, self.deaths = folder, "0", 0
        self.engine = open_engine(f"sqlite:///{folder / 'sop.db'}")
        upgrade(self.engine)
        self.shop = Shop(self.engine, start="2025-03-01 20:00")
        self.shop.apply(catalogue=CATALOGUE)
        self.key = make_key(self.shop.app, "web", ("ingest",), self.shop.now, by="test").key

    @contextmanager
    def serving(self) -> Iterator["Till"]:
        """While it is served."""
        self._start()
        yield self
        self.server.__exit__()
        self.engine.dispose()

    def _start(self) -> None:
        self.server = Process(["web", "--port", self.port], self.folder).__enter__()
        self.address = self.server.address()
        self.port = self.address.rpartition(":")[2]

    def die_and_rise(self) -> None:
        """As a machine that loses its power: nothing is finished, and whoever is sending hears nothing."""
        self.server.process.kill()
        self.server.__exit__()
        self.deaths += 1
        self._start()

    def stored(self) -> list[tuple[str, Any]]:
        """Message id and page of every event."""
        with self.shop.app.transaction() as tx:
            return [(row[0], row[1].get("page")) for row in tx.execute(select(events.c.message_id, events.c.fields))]

    def has(self, events_stored: int) -> bool:
        """Whether so many are stored."""
        with self.shop.app.transaction() as tx:
            return tx.execute(select(func.count()).select_from(events)).scalar_one() >= events_stored


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    with Till(tmp_path).serving() as till:
        yield till


def sent_once(till: Till, many: int) -> None:
    stored = till.stored()
    assert sorted(page for _, page in stored) == sorted(f"/{n}" for n in range(many))
    assert len({message_id for message_id, _ in stored}) == many


def python_sends(till: Till, many: int, *, kills: int) -> None:
    failed: list[Any] = []
    client = Client(
        till.key, host=till.address, max_queue_size=many + 1, upload_size=100 if many > FEW else 20, gzip=True,
        on_error=lambda error, _items: failed.append(error),
    )  # fmt: skip
    for n in range(many):
        client.track(f"python-{n % 500}", "visit", {"page": f"/{n}"})
    for n in range(kills):
        until(lambda part=n: till.has(many * (part + 1) // (kills + 2)), seconds=300, what="a part is stored")
        till.die_and_rise()
    client.flush()
    client.join()
    assert failed == []
    sent_once(till, many)


@pytest.fixture
def node() -> str:
    """Node, with Segment's client beside the script. Neither comes with Python: where one is missing the test is left out, and counted."""
    found = shutil.which("node")
    if found is None or not (CLIENTS / "node_modules").is_dir():
        pytest.skip("no client: Segment's for Node (`make clients`)")
    return found


def node_sends(node: str, till: Till, many: int, *, kills: int) -> None:
    script = [node, str(CLIENTS / "send.mjs"), till.address, till.key, str(many)]
    with subprocess.Popen(script, cwd=CLIENTS, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as sending:
        for n in range(kills):
            until(lambda part=n: till.has(many * (part + 1) // (kills + 2)), seconds=300, what="a part is stored")
            till.die_and_rise()
        out, err = sending.communicate(timeout=600)
    assert json.loads(out or b"{}") == {"failed": []}, err
    sent_once(till, many)


def test_the_client_for_python_sends_to_a_server_that_is_killed_and_each_event_is_stored_once(till: Till) -> None:
    python_sends(till, EVENTS, kills=1 if EVENTS == FEW else 3)


def test_the_client_for_node_sends_to_a_server_that_is_killed_and_each_event_is_stored_once(node: str, till: Till) -> None:
    node_sends(node, till, EVENTS, kills=1)  # after each it waits longer, up to a minute
