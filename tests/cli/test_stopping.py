"""The commands that stop, resume, adopt and reconcile say what they did, by whom, and refuse what makes no sense."""

import getpass
import json
import sqlite3
from typing import Any

import pytest

from tests.cli.conftest import Shop

pytestmark = pytest.mark.slow

PLAYBOOK = "生命周期经营"


def noted(shop: Shop) -> list[tuple[str, str, Any]]:
    """(who, what, about), oldest first, of what was done."""
    with sqlite3.connect(shop.folder / "sop.db") as db:
        return [(who, what, json.loads(about)) for who, what, about in db.execute("SELECT who, what, about FROM audit ORDER BY id")]


def test_a_stop_is_listed_with_its_reason_until_it_is_resumed(shop: Shop) -> None:
    assert shop.ok("stops") == "nothing is stopped\n"
    told = shop.ok("stop", "--playbook", PLAYBOOK, "--why", "内容有误", "--by", "王经理")
    assert told == f"stopped: playbook:{PLAYBOOK} since 2025-06-10 12:00 by 王经理. 'sop resume' lets it go on.\n"
    assert shop.json("stops")["stopped"] == [
        {"scope": f"playbook:{PLAYBOOK}", "since": "2025-06-10T04:00:00+00:00", "by": "王经理", "why": "内容有误"}
    ]
    assert "内容有误" in shop.ok("stops")
    assert shop.ok("resume", "--playbook", PLAYBOOK, "--why", "已改正") == f"goes on: playbook:{PLAYBOOK}. 0 touches waited.\n"
    assert shop.ok("stops") == "nothing is stopped\n"


def test_what_is_done_is_noted_with_a_name_and_without_the_words(shop: Shop) -> None:
    shop.ok("stop", "--all", "--why", "打给13800000000", "--by", "王经理")
    shop.ok("resume", "--all", "--why", "内容已改正")
    rows = noted(shop)
    assert [(who, what) for who, what, _ in rows] == [(getpass.getuser(), "applied"), ("王经理", "stopped"), (getpass.getuser(), "resumed")]
    assert rows[1][2] == {"scope": "all", "version": 1}
    assert "13800000000" not in str(rows)


def test_a_value_set_by_hand_is_noted_without_the_value(shop: Shop) -> None:
    shop.ok("track", "老陈", "visit")
    shop.ok("set", "老陈", "短信许可", "true", "--author", "王经理")
    assert noted(shop)[-1][:2] == ("王经理", "set by hand")
    assert set(noted(shop)[-1][2]) == {"user_id", "name"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("stop",), "say what: --all, --playbook NAME or --channel NAME"),
        (("stop", "--playbook", "生命周期经"), f"Did you mean '{PLAYBOOK}'?"),
        (("stop", "--channel", "短"), "there is no channel '短'"),
        (("resume", "--all"), "say why it may go on, with --why TEXT"),
        (("resume", "--all", "--why", "ok"), "'all' is not stopped. Now nothing is."),
        (("reconcile",), "not in safe mode"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_way_out(shop: Shop, words: tuple[str, ...], says: str) -> None:
    said = shop.sop(*words)
    assert said.code == 1
    assert says in said.err


def test_a_database_of_another_name_is_told_and_can_be_adopted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOP_INSTANCE", "staging")
    assert "SOP_INSTANCE is 'staging'" in shop.ok("stops")
    assert shop.ok("adopt") == "this database is 'staging' now. Set SOP_INSTANCE=staging where it is worked on.\n"
    assert shop.ok("stops") == "nothing is stopped\n"
    assert shop.sop("adopt").code == 1


def test_a_restored_database_is_reconciled_with_the_log_of_a_provider(shop: Shop) -> None:
    with sqlite3.connect(shop.folder / "sop.db") as db:
        mode = {"at": "2025-06-10T03:00:00+00:00", "why": "it is a restored copy."}
        db.execute("INSERT INTO marks (name, value) VALUES ('safe_mode', ?)", [json.dumps(mode)])
    assert shop.ok("stops").startswith("safe mode since 2025-06-10T03:00:00+00:00")
    log = shop.write("log.csv", f"key,at\n{'a' * 32},2025-06-10 10:00\n{'b' * 32},\n")
    told = shop.ok("reconcile", "--log", log)
    assert "0 touches were sent, 0 given up" in told
    assert "2 keys of the log belong to runs that are lost" in told
    assert shop.ok("stops") == "nothing is stopped\n"
    wrong = shop.write("wrong.csv", "id\n1\n")
    assert "there is no column 'key'" in shop.sop("reconcile", "--log", wrong).err
