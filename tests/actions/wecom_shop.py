"""A shop that speaks to its customers over WeCom, sending for real to a server that keeps tasks as WeCom does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Engine

from sop_engine.actions.confirming import settle_staff
from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.wechat_facts import apply_wechat
from sop_engine.channels.contract import Fact, Handed
from sop_engine.settings import Settings
from sop_engine.settings.accounts import WecomAccount
from tests.fakes.wecom import FakeWecom
from tests.shop import Shop
from tests.shop_project import BENEFIT, CATALOGUE, TEXTS, text

WECOM = CATALOGUE.replace("  desk:", "  wecom: {via: wecom_customer, to: wecom_id}\n  greet: {via: wecom_welcome}\n  desk:")
WECOM = WECOM.replace("  name: text\n", "  name: text\n  wecom_id: text\n")
WECOM = WECOM.replace("  visit:", "  wecom_added: {staff: text, state: text, welcome_code: text}\n  visit:")
FLOW = f"""
playbook: back
intent: cultivate
start: {{event: visit}}
goal: buys
again: always
steps:
  mass: {{after: 1h, send: [mass_wecom, hello_mail], give: ten}}
  later: {{after: 72h, from: mass, send: again}}
---
benefits:
  ten: {{{BENEFIT}, pool: tens}}
"""
PLAIN = FLOW.partition("---")[0].replace(", give: ten", "")
MESSAGES = {
    **TEXTS,
    "mass_wecom": text("mass_wecom", "wecom", body="Come back"),
    "personal": text("personal", "wecom", variables="name: required", body="Come back, {{ name }}"),
    "greeting": text("greeting", "greet", purpose="service", body="Welcome"),
}


class WecomShop(Shop):
    """`wecom` and `greet` go to the fake; everything else stays in the outbox."""

    fake: FakeWecom

    def add(self, user: str, *staff: str, mail: str = "", **given: Any) -> None:
        """A customer with a WeCom address and these colleagues."""
        self.user(user, wecom_id=f"wm-{user}", mail=mail, mail_ok=bool(mail), **given)
        for one in staff:
            self.report(Fact(kind="connected", event_key=f"{user}{one}", at=self.now, to=f"wm-{user}@{one}"))

    def report(self, *facts: Fact) -> None:
        """Facts come in by the channel."""
        with self.app.work(self.now) as work:
            for fact in facts:
                if not apply_wechat(work, "wecom", fact):
                    settle_staff(work, fact.touch_id, fact)

    def confirm(self, call_id: str) -> None:
        """The colleague confirms, and the results are fetched."""
        self.fake.now = self.now
        self.fake.confirm(call_id)
        self.poll()

    def poll(self) -> None:
        """Fetch what became of everything that was handed over."""
        channel: Any = self.app.adapter(self.app._live.project.channels["wecom"])
        handed = [
            Handed(key="", began_at=self.now, now=self.now, to=t.address, provider_id=t.provider_id, touch_id=t.id)
            for t in self.touches()
            if t.state == "sent" and t.channel == "wecom"
        ]
        self.report(*channel.poll(handed))
        self.beat()

    def broken(self) -> list[str]:
        """Invariants that do not hold."""
        with self.app.work(self.now) as work:
            return [f"{one.invariant.id}: {one.subjects}" for one in ask_invariants(work).broken]


@contextmanager
def wecom_shop(engine: Engine, *documents: str, **words: Any) -> Iterator[WecomShop]:
    """The shop and its provider; `words` of the account."""
    shop = WecomShop(engine, start="2025-03-01 10:00", texts=MESSAGES)
    with FakeWecom(shop.now) as fake:
        shop.fake = fake
        told = {"corp_id": fake.id, "secret": SecretStr(fake.secret), "endpoint": fake.url, **words}
        shop.app.settings = Settings.model_construct(sending="live", webhook_loopback=True)
        for name, via in (("wecom", "wecom_customer"), ("greet", "wecom_welcome")):
            shop.app.settings._accounts[name] = WecomAccount.model_validate({"via": via, **told})
        shop.apply(*(documents or (FLOW,)), catalogue=WECOM)
        try:
            yield shop
        finally:
            shop.app.close()
