"""The page about what comes back names every fact, word and type, as the code has them."""

import re

from sop_engine.channels.contract import FACTS
from sop_engine.channels.email_receipts import EVENTS as MAIL_EVENTS
from sop_engine.channels.task import ANSWERS
from sop_engine.channels.webhook_receipts import FAILED, KINDS
from sop_engine.core.feedback import EVENTS, RECEIPTS
from sop_engine.core.replies import OPT_OUT
from tests.test_docs import missing, page


def test_every_fact_every_type_and_every_word_that_refuses_is_on_the_page() -> None:
    assert missing({*FACTS, *KINDS, *FAILED, *OPT_OUT, *ANSWERS, *MAIL_EVENTS}, page("receipts")) == []


def test_the_page_says_which_receipts_and_events_a_fact_becomes() -> None:
    table = page("receipts").partition("## What a report does")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.split("|")] for line in table.splitlines() if line.startswith("| `")]
    rows = {kind: (row[2], row[3]) for row in cells for kind in re.findall(r"`(\w+)`", row[1])}
    wrong = [kind for kind, noted in RECEIPTS.items() if kind in FACTS and rows[kind][0] != ", ".join(noted)]
    wrong += [kind for kind, event in EVENTS.items() if not rows[kind][1].startswith(f"`{event}`")]
    assert wrong == []
