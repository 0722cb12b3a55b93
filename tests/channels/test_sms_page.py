"""Holds the page about SMS to the tables: every code of an answer and of a report stands in it."""

import pytest

from sop_engine.channels.codes_sms import ALIYUN, ANSWERS, REPORTS, TENCENT
from tests.test_house import ROOT

PAGE = (ROOT / "docs" / "channels-sms.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("title", "table", "provider"),
    [("Answers of Aliyun", ANSWERS, ALIYUN), ("Answers of Tencent", ANSWERS, TENCENT), ("Reports of Aliyun", REPORTS, ALIYUN)],
)
def test_the_page_lists_exactly_the_codes_of_the_table(title: str, table: dict[tuple[str, str], object], provider: str) -> None:
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    told = {word for row in rows for word in row.split("`")[1::2]}
    assert told == {code for whose, code in table if whose == provider}
