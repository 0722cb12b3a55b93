"""`sop receipts` lists what providers reported, says of nobody who it was about, and applies one once more."""

from datetime import UTC, datetime

import pytest

from sop_engine.actions.hear_back import apply_waiting, keep
from sop_engine.channels.contract import Fact
from sop_engine.cli.opening import open_database
from tests.cli.conftest import Shop

pytestmark = pytest.mark.slow
AT = datetime(2025, 6, 8, 4, 0, tzinfo=UTC)


def test_reports_are_listed_without_whom_they_are_about_and_a_dropped_one_is_tried_again(shop: Shop) -> None:
    assert shop.ok("receipts") == "nothing was reported\n"
    app = open_database(shop.folder)
    keep(app, "短信", [Fact(kind="replied", event_key="e1", at=AT, to="+8613900000001", text="你好")], AT)
    apply_waiting(app, AT.replace(day=9, hour=5))
    app.engine.dispose()
    (one,) = shop.json("receipts", "--state", "dropped")["reports"]
    assert (one["channel"], one["kind"], one["note"]) == ("短信", "replied", "nobody_known")
    told = shop.ok("receipts")
    assert told.startswith("1 dropped\n")
    assert "139" not in told
    assert "你好" not in told
    assert shop.ok("receipts", "--again", one["id"], "--by", "王") == f"report {one['id']} is parked\n"
    assert shop.json("receipts")["states"] == {"parked": 1}


def test_a_report_that_is_not_there_and_a_state_that_is_none_are_refused(shop: Shop) -> None:
    assert shop.sop("receipts", "--again", "7").err.startswith("Error: there is no report 7 that was dropped or waits.")
    assert shop.sop("receipts", "--state", "lost").err.startswith("Error: 'lost' is no state of a report.")


def test_x_19_a_reply_recorded_by_hand_that_refuses_is_a_refusal(shop: Shop) -> None:
    shop.ok("track", "u1", "visit")
    shop.ok("track", "u1", "replied", "-f", "text=退订")
    assert "unsubscribed" in shop.json("user", "u1")["events"]
    assert "replied" not in shop.json("user", "u1")["events"]
