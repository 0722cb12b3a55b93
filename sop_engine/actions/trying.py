"""Sends a template to a colleague's own address to be looked at: counted nowhere, with no code, and to nobody who was not named."""

from datetime import datetime

from sop_engine.actions.halting import refusal
from sop_engine.app import App
from sop_engine.channels.contract import Message, Receipt
from sop_engine.channels.trial import KEYS, Trial
from sop_engine.core.addresses import same_address
from sop_engine.core.errors import Refused
from sop_engine.core.preview import Preview
from sop_engine.core.project import Project
from sop_engine.store.halts import read_halts
from sop_engine.store.stops import list_stopped

NOT_NAMED = "nothing was sent: the address is not in SOP_TEST_ADDRESSES, and was not typed again."
STOPPED = "sending is stopped: 'sop resume all' would allow it."


def listed_addresses(app: App) -> list[str]:
    """The addresses to which tests go without asking."""
    return [text.strip() for text in app.settings.test_addresses.split(",") if text.strip()]


def is_listed(app: App, to: str) -> bool:
    """Whether an address is one of them, in whatever spelling."""
    return same_address(to) in {same_address(one) for one in listed_addresses(app)}


def send_test(app: App, project: Project, written: Preview, message: Message, *, confirmed: str = "") -> Receipt:
    """Send what a preview wrote to the address of the message, through the real channel where sending is live, else into the outbox.

    `confirmed` is the address as a person typed it once more. Raises Refused when the address is neither listed nor confirmed, when
    the text cannot be written, when sending is stopped, or when the channel refuses.
    """
    if written.missing:
        raise Refused(f"'{written.template}' cannot be written: {written.missing}.")
    if not is_listed(app, message.to) and same_address(confirmed) != same_address(message.to):
        raise Refused(NOT_NAMED)
    _refuse_stopped(app, message.now)
    adapter = app.adapter(project.channels[written.channel])
    trial = Trial(adapter, [*listed_addresses(app), confirmed] if confirmed else listed_addresses(app))
    try:
        return trial.try_out(message)
    finally:
        trial.close()


def as_test(written: Preview, to: str, now: datetime, number: str) -> Message:
    """The test that a preview becomes; `number` makes its key one of its own."""
    return Message(
        key=f"{KEYS}{number}",
        now=now,
        purpose=written.purpose,
        to=to,
        subject=written.subject,
        text=written.text,
        test=True,
        playbook="test",
        step="test",
        template=written.template,
        unsubscribe_url="https://example.com/u/test" if written.purpose == "marketing" else "",
    )


def _refuse_stopped(app: App, now: datetime) -> None:
    with app.transaction() as tx:
        against = refusal(read_halts(tx), app.settings)
        stopped = [stop.scope for stop in list_stopped(tx) if stop.scope == "all"]
    if against:
        raise Refused(against)
    if stopped and app.settings.sending == "live":
        raise Refused(STOPPED)
