"""What a colleague records of consent, and lists of addresses that are not written to, by command and from files."""

import tracemalloc
from pathlib import Path

import pytest

from sop_engine.actions import suppress_list
from sop_engine.actions.importing import Source
from sop_engine.actions.suppress_list import import_suppressions
from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import upgrade
from sop_engine.store.suppressions import Entry
from tests.cli.conftest import Shop
from tests.core.test_signed_headers import ALL, mail
from tests.shop import Shop as Small

pytestmark = pytest.mark.slow


def test_a_refusal_and_a_permission_are_recorded_with_who_where_and_what_stands(shop: Shop) -> None:
    shop.ok("track", "老陈", "order", "-f", "order_id=1", "-f", "amount=9")
    assert shop.ok("unsubscribe", "老陈", "--channel", "短信", "--by", "amy") == "老陈 has refused 短信.\n"
    assert shop.ok("unsubscribe", "老陈", "--channel", "短信", "--by", "amy") == "老陈 had refused 短信 before.\n"
    assert shop.json("consent", "老陈")["refused"] == ["短信"]
    later = "2025-06-10T05:00:00Z"
    assert (
        shop.ok("subscribe", "老陈", "--channel", "短信", "--evidence", "form 17", "--by", "amy", at=later) == "老陈 has agreed to 短信.\n"
    )
    found = shop.json("consent", "老陈", at=later)
    lines = [(n["state"], n["source"], n["evidence"]) for n in found["lines"]]
    assert lines == [("withdrawn", "by amy", ""), ("granted", "by amy", "form 17")]
    assert (found["refused"], found["granted"]) == ([], ["短信"])
    assert "now refused: nothing · agreed to: 短信" in shop.ok("consent", "老陈", at=later)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("unsubscribe", "老陈", "--channel", "telex"), "there is no channel 'telex'"),
        (("unsubscribe", "老陈", "--topic", "weather"), "there is no topic 'weather'"),
        (("subscribe", "老陈", "--evidence", " "), "a permission must be shown one day"),
        (("suppress", "12 3", "--channel", "telex"), "there is no channel 'telex'"),
    ],
)
def test_what_cannot_be_recorded_is_one_sentence(shop: Shop, words: tuple[str, ...], sentence: str) -> None:
    shop.ok("track", "老陈", "order", "-f", "order_id=1", "-f", "amount=9")
    said = shop.sop(*words)
    assert said.code == 1
    assert sentence in said.err


def test_an_address_is_listed_counted_and_taken_off_and_is_nowhere_to_be_read(shop: Shop) -> None:
    assert shop.ok("suppressions") == "no address is on the list\n"
    assert shop.ok("suppress", "139 0000 1234") == "it is on the list now\n"
    assert shop.ok("suppress", "+8613900001234") == "it is on the list before\n".replace("is on", "was on")
    shop.ok("suppress", "a@example.com", "--channel", "短信", "--all")
    assert [(n["channel"], n["scope"], n["addresses"]) for n in shop.json("suppressions")] == [("*", "marketing", 1), ("短信", "all", 1)]
    assert shop.ok("suppress", "13900001234", "--lift") == "1 entry is off the list\n"
    assert shop.ok("suppress", "13900001234", "--lift") == "0 entries are off the list\n"
    assert b"13900001234" not in (shop.folder / "sop.db").read_bytes()


def test_a_file_of_addresses_comes_on_the_list_once_and_what_is_none_is_named(shop: Shop) -> None:
    file = shop.folder / "list.csv"
    rows = ["13900001234,,", "user@example.net,complained,all", "12345,,", "13900001234,because,"]
    file.write_text("\n".join(["address,reason,scope", *rows, ""]), "utf-8")
    told = shop.ok("import", file, "--as", "suppressions")
    assert told.startswith("read 4 · stored 2 · listed before 0 · rejected 2")
    assert shop.ok("import", file, "--as", "suppressions").startswith("read 4 · stored 0 · listed before 2 · rejected 2")
    assert "column 'reason': there is no such reason" in file.with_name("list.csv.errors.csv").read_text("utf-8")
    file.write_text("nummer\n1\n", "utf-8")
    said = shop.sop("import", file, "--as", "suppressions")
    assert (said.code, "none of the columns address, phone, email, id" in said.err) == (1, True)


@pytest.mark.slow
def test_a_long_list_is_read_batch_by_batch_and_memory_stays_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppress_list, "BATCH", 500)
    engine = open_engine(f"sqlite:///{tmp_path / 'sop.db'}", durable=False)
    upgrade(engine)
    small = Small(engine, "playbook: a\nintent: serve\nstart: {event: cart}\ngoal: joins\nsteps:\n  x: {after: 1h, send: receipt}\n")
    peaks: list[int] = []

    def measured(_read: int) -> None:
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.reset_peak()

    rows = (Entry("phone", f"139{number:08d}") for number in range(6_000))
    tracemalloc.start()
    try:
        found = import_suppressions(small.app, Source(rows), small.now, progress=measured)
    finally:
        tracemalloc.stop()
    assert (found.stored, found.repeated, len(peaks)) == (6_000, 0, 12)
    assert max(peaks[6:]) < 1.3 * max(peaks[1:4])
    engine.dispose()


def test_a_received_mail_is_examined_and_what_its_signature_lacks_is_named(fresh: Shop) -> None:
    file = fresh.folder / "received.eml"
    file.write_bytes(mail(ALL.replace(":list-unsubscribe-post", "")))
    said = fresh.sop("doctor", "email", file)
    assert said.code == 1
    assert said.out.splitlines() == [
        "FAIL  signature of mail.example.com (k1): h= lacks list-unsubscribe-post",
        "no signature of mail.example.com covers all it must",
    ]
    file.write_bytes(mail(ALL))
    assert "mail programs will offer the way out" in fresh.ok("doctor", "email", file)
    assert (
        fresh.sop("doctor", "email").code == fresh.sop("doctor", "email", "none.eml").code == fresh.sop("doctor", "telex", file).code == 1
    )
