"""Holds the page about WeCom and WeChat to the code: every error code, field and event stands in it."""

import re
from pathlib import Path

from sop_engine.channels.codes_wechat import CODES
from sop_engine.channels.oa_events import _EVENTS
from sop_engine.channels.wecom_customer import STATUSES
from sop_engine.channels.wecom_events import _CHANGES
from sop_engine.core.wechat_fields import RULES
from sop_engine.core.wecom import CAP_RULES

PAGE = (Path(__file__).parents[2] / "docs" / "channels-wechat.md").read_text("utf-8")


def test_every_error_code_stands_on_the_page_with_its_meaning() -> None:
    told = {}
    for provider, codes, meaning in re.findall(r"^\| `(wecom|wecom_welcome|oa)` \| ([\d ]+) \| (.+) \|$", PAGE, re.M):
        told |= {(provider, int(code)): meaning for code in codes.split()}
    assert told.keys() == CODES.keys()
    listed = {key: f"{m.kind}: {m.reason}" for key, m in CODES.items() if m.kind not in ("token", "done")}
    assert {key: told[key].partition(", after")[0] for key in listed} == listed


def test_every_field_stands_on_the_page_with_what_it_takes() -> None:
    assert dict(re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", PAGE.partition("### Fields")[2].partition("\n## ")[0], re.M)) == {
        name: says for name, (_, says) in RULES.items()
    }


def test_every_event_status_and_rule_stands_on_the_page() -> None:
    assert [word for word in (*_EVENTS, *_CHANGES, *STATUSES.values(), *CAP_RULES) if f"`{word}`" not in PAGE] == []
