"""A colleague answers a task by the link in it: looking changes nothing, a button does, and nobody else's text is taken for a link."""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select

from sop_engine.channels.task import ANSWERS, StaffTask, TaskLinks
from sop_engine.console import pages
from sop_engine.settings import Settings
from sop_engine.store import consent, touches
from sop_engine.store.people import get_id
from tests.actions.test_tasks import CALL, CALL_HIM, DESK, tasks
from tests.receiving import Web
from tests.shop import Shop
from tests.shop_project import TEXTS

pytestmark = pytest.mark.slow

LINK = re.compile(r"https://sop\.example\.com(/t/\S+)")


class Desk:
    """A shop whose adviser has a task, and the page of it."""

    def __init__(self, engine: Engine, **project: str) -> None:
        self.shop = Shop(engine, start="2025-06-01 09:00", texts={**TEXTS, **CALL_HIM}, project=project)
        self.shop.app.settings = Settings.model_construct(
            sending="live", public_url="https://sop.example.com/", signing_key=SecretStr("a long random text")
        )
        self.shop.apply(CALL, catalogue=DESK)
        self.shop.user("u", adviser="Mei")
        self.web = Web(pages.build(self.shop.app, lambda: self.shop.now))

    def path(self) -> str:
        """The address in the newest task."""
        found = LINK.search(tasks(self.shop)[-1].text)
        assert found is not None
        return found[1]

    def begin(self) -> str:
        self.shop.event("u", "cart")
        return self.path()

    def answer(self, path: str, answer: str) -> tuple[int, str]:
        body = urlencode({"answer": answer}).encode()
        got = self.web.ask("POST", path, body=body, headers={"content-type": "application/x-www-form-urlencoded"})
        return got.status_code, got.text

    def receipts(self) -> list[str]:
        with self.shop.app.transaction() as tx:
            return sorted(row.kind for row in tx.execute(select(touches.receipts)))

    def refused(self) -> frozenset[str]:
        with self.shop.app.transaction() as tx:
            one = get_id(tx, "u")
            return consent.opt_outs_of(tx, [one]).get(one, frozenset())


@pytest.fixture
def desk(memory: Engine) -> Iterator[Desk]:
    return Desk(memory)


def test_the_page_shows_the_brief_in_both_languages_and_looking_changes_nothing(desk: Desk) -> None:
    path = desk.begin()
    for method in ("GET", "HEAD", "GET"):
        got = desk.web.ask(method, path)
        assert got.status_code == 200
        assert "default-src 'none'" in got.headers["content-security-policy"]
        assert got.headers["cache-control"] == "no-store"
    assert "Call about the skin test" in got.text
    assert "已完成 / Done" in got.text
    assert [row.state for row in tasks(desk.shop)] == ["open"]
    assert desk.receipts() == []


@pytest.mark.parametrize(
    ("answer", "state", "receipts"),
    [("done", "done", ["delivered", "done"]), ("not_reached", "not_reached", []), ("refused", "refused", [])],
)
def test_a_button_ends_the_task_and_is_what_it_says(desk: Desk, answer: str, state: str, receipts: list[str]) -> None:
    path = desk.begin()
    status, page = desk.answer(path, answer)
    assert (status, "Noted" in page) == (200, True)
    assert ([row.state for row in tasks(desk.shop, state)], tasks(desk.shop)) == ([state], [])
    assert desk.receipts() == receipts
    assert ("What does the customer want no more of?" in page) is (answer == "refused")


@pytest.mark.parametrize(("answer", "refused"), [("stop_channel", {"desk"}), ("stop_all", {"*"})])
def test_whoever_refused_is_asked_what_is_to_stop_and_that_stops(desk: Desk, answer: str, refused: set[str]) -> None:
    path = desk.begin()
    desk.answer(path, "refused")
    assert desk.refused() == frozenset()
    assert desk.answer(path, answer)[0] == 200
    assert desk.refused() == refused


def test_a_second_answer_changes_nothing_and_the_page_says_how_it_is(desk: Desk) -> None:
    path = desk.begin()
    desk.answer(path, "done")
    status, page = desk.answer(path, "not_reached")
    assert (status, "This task: done" in page, "Noted" in page) == (200, True, False)
    assert [row.state for row in tasks(desk.shop, "done")] == ["done"]


def test_a_task_of_a_hand_off_has_a_link_too_and_done_ends_the_hand_off(memory: Engine) -> None:
    desk = Desk(memory, on_reply="task")
    desk.shop.event("u", "replied", text="is anybody there?")
    assert desk.answer(desk.path(), "done")[0] == 200
    assert tasks(desk.shop) == []


@pytest.mark.parametrize("change", [lambda p: p[:-1], lambda p: p + "x", lambda p: "/t/x", lambda p: "/t/" + "a." * 500])
def test_a_changed_link_is_no_task_for_anybody(desk: Desk, change: object) -> None:
    path = change(desk.begin())
    assert (desk.web.ask("GET", path).status_code, desk.answer(path, "done")[0]) == (404, 404)
    assert len(tasks(desk.shop)) == 1


def test_a_link_for_another_purpose_is_no_task(desk: Desk) -> None:
    from sop_engine.core.tokens import sign

    keys = desk.shop.app.settings.signing_keys
    desk.begin()
    assert desk.web.ask("GET", f"/t/{sign(keys, next(iter(keys)), 'unsub', tasks(desk.shop)[0].key, 16)}").status_code == 404


def test_a_word_that_is_no_answer_is_refused(desk: Desk) -> None:
    path = desk.begin()
    assert (desk.answer(path, "maybe")[0], desk.answer(path, "")[0]) == (400, 400)
    assert len(tasks(desk.shop)) == 1


def test_without_an_address_of_its_own_a_task_has_no_link() -> None:
    assert TaskLinks("", {"k": b"x"}).told("text", "k1") == "text"
    assert TaskLinks("https://sop.example.com", {}).told("text", "k1") == "text"


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_channel_reads_an_answer_as_the_page_does(desk: Desk, answer: str) -> None:
    token = desk.begin().removeprefix("/t/")
    status, _ = desk.answer(f"/v1/receipts/staff_task/desk/{token}", answer)
    assert status == 200
    assert desk.answer("/v1/receipts/staff_task/desk/forged", answer)[0] == 404
    assert hasattr(StaffTask, "parse")
