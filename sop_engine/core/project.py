"""A whole project: every name checked, every default filled in, frozen under one content hash."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from sop_engine.core.approval import APPROVED, Approval
from sop_engine.core.catalog import Alert, Attribute, Benefit, Calendar, Channel, Event, Goal, Report, Tag
from sop_engine.core.conditions import Condition
from sop_engine.core.forms import Hours, Length, Limit
from sop_engine.core.ingest_map import Foreign
from sop_engine.core.links import LinkRules
from sop_engine.core.metrics import Metric
from sop_engine.core.playbook import Flow, Playbook
from sop_engine.core.rules import Rule
from sop_engine.core.story import Story
from sop_engine.core.template import Template
from sop_engine.core.tiers import Tier

BUILT_IN_EVENTS = (
    "delivered",
    "opened",
    "clicked",
    "replied",
    "unsubscribed",
    "blocked",
    "task_done",
    "task_failed",
    "benefit_used",
    "benefit_expired",
    "link_opened",
    "link_shared",
)
BUILT_IN_FIELDS = ("playbook", "level", "step", "template", "channel", "benefit", "code", "link", "text", "result")
BUILT_IN_ATTRIBUTES = {"id": "text", "joined": "date", "timezone": "text", "locale": "text"}


@dataclass(frozen=True, slots=True)
class Settings:
    """The `project` document."""

    name: str
    timezone: str
    locale: str = "zh-CN"
    currency: str = "CNY"
    calendar: str = ""
    hours: Hours = field(default_factory=lambda: Hours(9 * 60, 21 * 60))
    caps: tuple[Limit, ...] = ()
    only: Condition | None = None
    holdout: Decimal = Decimal(0)
    salt: str = ""
    purchase: tuple[str, str] = ("order", "amount")
    activity: tuple[str, ...] = ()
    primary_tier: str = ""
    stale_after: Length | None = None
    max_levels: int = 5
    on_reply: str = ""
    content_types: tuple[str, ...] = ()
    never_say: tuple[str, ...] = ()
    profiles: tuple[tuple[str, tuple[str, ...]], ...] = ()
    profile: str = ""
    links: LinkRules = field(default_factory=LinkRules)
    country: str = "CN"
    rules: tuple[str, ...] = ()  # shipped sets that are in force
    minor: Condition | None = None


@dataclass(frozen=True, eq=False)  # two projects are the same only if they are one object: so they can be keys of caches
class Project:
    """Everything a folder says. Mappings keep the order of the files; names are NFKC-normalised."""

    settings: Settings
    attributes: Mapping[str, Attribute] = field(default_factory=dict)  # built-in ones are not in it
    identities: tuple[tuple[str, str], ...] = ()  # (attribute, public | private), strongest first
    events: Mapping[str, Event] = field(default_factory=dict)  # built-in ones are in it
    ingest: Mapping[str, Foreign] = field(default_factory=dict)  # foreign event -> ours
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # leaf kinds
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    tags: Mapping[str, Tag] = field(default_factory=dict)
    goals: Mapping[str, Goal] = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    channels: Mapping[str, Channel] = field(default_factory=dict)
    benefits: Mapping[str, Benefit] = field(default_factory=dict)
    tiers: Mapping[str, Tier] = field(default_factory=dict)  # in the order they must be evaluated is `models_in_order`
    playbooks: Mapping[str, Playbook] = field(default_factory=dict)
    flows: Mapping[str, Flow] = field(default_factory=dict)
    templates: Mapping[str, Mapping[str, Template]] = field(default_factory=dict)  # name -> locale -> text
    approvals: Mapping[str, Mapping[str, Approval]] = field(
        default_factory=dict
    )  # channel -> provider's id of a text -> what is said of it
    stories: tuple[Story, ...] = ()
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    reports: Mapping[str, Report] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    hash: str = ""  # of the text of every file

    @property
    def zone(self) -> ZoneInfo:
        """The zone of days, metrics and tiers."""
        return ZoneInfo(self.settings.timezone)

    @property
    def calendar(self) -> Calendar:
        """What workday and weekend mean; Monday to Friday where the project names none."""
        return self.calendars.get(self.settings.calendar, Calendar(""))

    def template(self, name: str, locale: str | None) -> Template:
        """The text of this name in the locale: exact, then its language, then the project's, then any."""
        texts = self.templates[name]
        wanted = [locale or "", (locale or "").split("-")[0], self.settings.locale]
        found = next((texts[w] for w in wanted if w in texts), None)
        return found or next(iter(texts.values()))

    def unapproved(self, template: Template) -> bool:
        """Whether the provider is known not to have approved the text; what nothing is said about may be sent."""
        said = self.approvals.get(template.channel, {}).get(template.provider_template)
        return said is not None and said.state != APPROVED

    def lane(self, flow: Flow, step_name: str) -> int:
        """Who goes first when much is due: 0 for service messages, tasks and steps that send nothing, 1 for marketing."""
        step = flow.step(step_name)
        names = step.send.names() if step is not None and step.send is not None else ()
        return int(any(text.purpose == "marketing" for name in names for text in self.templates.get(name, {}).values()))

    def covered_until(self) -> date | None:
        """The last day the project's calendar knows holidays for."""
        return self.calendar.until
