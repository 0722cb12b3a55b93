"""Tokens are fetched once for all workers, renewed early, and forgotten only by whoever saw the stored one fail."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.core.errors import DeliveryError
from sop_engine.store.engine import transaction
from sop_engine.store.tokens import Tokens

BEGIN = datetime(2025, 3, 1, 2, 0, tzinfo=UTC)
HOURS = timedelta(seconds=7200)


class World:
    """A made-up clock, a provider that counts, and what happens while somebody waits."""

    def __init__(self, engine: Engine) -> None:
        self.now, self.fetched, self.waited = BEGIN, 0, 0.0
        self.meanwhile: Callable[[], object] = lambda: None
        self.box = Tokens(lambda: transaction(engine), clock=lambda _tx: self.now, wait=self.wait)

    def wait(self, seconds: float) -> None:
        self.waited += seconds
        self.meanwhile()

    def fetch(self) -> tuple[str, timedelta]:
        self.fetched += 1
        return f"T{self.fetched}", HOURS


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def test_a_token_is_fetched_once_and_renewed_five_minutes_before_its_end(world: World) -> None:
    assert [world.box.get("a", world.fetch) for _ in range(3)] == ["T1"] * 3
    world.now = BEGIN + HOURS - timedelta(minutes=5, seconds=1)
    assert world.box.get("a", world.fetch) == "T1"
    world.now = BEGIN + HOURS - timedelta(minutes=5)
    assert world.box.get("a", world.fetch) == "T2"


def test_a_token_with_little_time_left_is_not_fetched_with_every_call(world: World) -> None:
    def short() -> tuple[str, timedelta]:
        return world.fetch()[0], timedelta(minutes=4)

    assert [world.box.get("a", short) for _ in range(3)] == ["T1"] * 3


def test_one_fetches_and_the_others_wait_for_what_it_gets(world: World) -> None:
    def outer() -> tuple[str, timedelta]:
        world.meanwhile = lambda: None
        try:
            world.box.get("a", world.fetch)  # another worker, while the first one is still fetching
        except DeliveryError as error:
            assert (error.kind, error.retry_after_s) == ("retry_after", 5)
        else:
            raise AssertionError("two fetched at once")
        return "FIRST", HOURS

    assert world.box.get("a", outer) == "FIRST"
    assert (world.fetched, round(world.waited, 3)) == (0, 3.0)
    assert world.box.get("a", world.fetch) == "FIRST"


def test_while_one_renews_it_the_others_use_the_old_token(world: World) -> None:
    world.box.get("a", world.fetch)
    world.now = BEGIN + HOURS - timedelta(minutes=4)
    seen: list[str] = []

    def outer() -> tuple[str, timedelta]:
        seen.append(world.box.get("a", world.fetch))
        return "NEW", HOURS

    assert world.box.get("a", outer) == "NEW"
    assert (seen, world.waited) == (["T1"], 0.0)


def test_a_fetch_that_fails_lets_the_next_one_try_at_once(world: World) -> None:
    def fails() -> tuple[str, timedelta]:
        raise DeliveryError("retry_after", "configuration", "40001")

    with pytest.raises(DeliveryError, match="40001"):
        world.box.get("a", fails)
    assert world.box.get("a", world.fetch) == "T1"


def test_whoever_died_while_fetching_is_not_waited_for_for_ever(world: World) -> None:
    def dies() -> tuple[str, timedelta]:
        world.now += timedelta(seconds=16)
        assert world.box.get("a", world.fetch) == "T1"
        return "LATE", HOURS

    world.box.get("a", dies)
    assert world.box.get("a", world.fetch) == "T1"  # the late one stored nothing over the newer


def test_only_the_stored_token_is_dropped(world: World) -> None:
    world.box.get("a", world.fetch)
    world.box.drop("a", "T0")
    assert world.box.get("a", world.fetch) == "T1"
    world.box.drop("a", "T1")
    world.box.drop("a", "T1")
    assert [world.box.get("a", world.fetch) for _ in range(2)] == ["T2"] * 2


def test_two_names_are_two_tokens(world: World) -> None:
    assert [world.box.get(n, world.fetch) for n in ("a", "b", "a")] == ["T1", "T2", "T1"]
