"""Reads templates: front matter and text into core values, with every problem at its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sop_engine.core.catalog import Channel
from sop_engine.core.project import Project
from sop_engine.core.template import Template
from sop_engine.core.wording import forbidden_words
from sop_engine.language.approved import check_approval
from sop_engine.language.forms import DUE
from sop_engine.language.front_matter import FrontMatter, Part, read_front_matter
from sop_engine.language.names import Names, is_name, names_of, no_such, normal
from sop_engine.language.provider_vars import check_provider_vars
from sop_engine.language.report import Place, Report
from sop_engine.language.template_advice import advise
from sop_engine.language.template_links import check_links
from sop_engine.language.template_names import Readable
from sop_engine.language.template_parts import Text, Use
from sop_engine.language.template_sms import check_sms, read_provider_vars
from sop_engine.language.template_text import read_text

PURPOSES = ("marketing", "service", "internal")


def read_templates(
    files: Mapping[str, str], catalogue: Project, report: Report, *, names: Names | None = None, released: bool = False
) -> dict[str, dict[str, Template]]:
    """The templates by name and locale. `files` are texts by path; `catalogue` knows everything but flows and templates.

    `names` may hold more names than the catalogue: those of documents that failed. Files with mistakes still give a
    template where name, channel and purpose can be read, so that steps that send them are not reported as well.
    What was `released` is not held to the rules for SMS, approvals and hosts, which came later.
    """
    readable = Readable(names or names_of(catalogue))
    found: dict[str, dict[str, Template]] = {}
    first: dict[str, _File] = {}
    for path, text in files.items():
        matter = read_front_matter(path, text, report) if path.endswith(".md") else None
        if matter is None:
            continue
        file = _File(matter, catalogue, readable, released)
        template = file.read()
        if template is None:
            continue
        texts = found.setdefault(template.name, {})
        if template.locale in texts:
            where = texts[template.locale].place
            report.add(matter.place("template"), 302, f"'{template.name}' in '{template.locale}' exists already, in {where}.")
            continue
        if texts:
            _compare(first[template.name].template, template, matter)
        texts[template.locale] = template
        file.template = template
        first.setdefault(template.name, file)
    return found


@dataclass
class _File:
    """One file on its way to a template."""

    matter: FrontMatter
    catalogue: Project
    readable: Readable
    released: bool = False
    template: Template | None = None
    unknown: set[str] = field(default_factory=set)  # names that were reported

    def read(self) -> Template | None:
        matter = self.matter
        name = matter.value("template")
        if name is not None and not is_name(normal(name.value)):
            matter.report.add(name.place, 303, f"'{name.value}' is not a name. Use letters, digits and _, not beginning with a digit.")
        channel = matter.name_of("channel", "channel", self.catalogue.channels)
        purpose = matter.one_of("purpose", PURPOSES)
        subject = matter.value("subject")
        parts = [matter.body] if subject is None else [Part(subject.value, matter.file, source=subject), matter.body]
        texts = [(part, read_text(part.text)) for part in parts]
        template = Template(
            name=normal(name.value) if name else "",
            channel=channel,
            purpose=purpose,
            body=matter.body.text,
            content_type=matter.one_of("content_type", self.catalogue.settings.content_types),
            locale=matter.text("locale") or self.catalogue.settings.locale,
            variables=tuple((normal(n.value), _fallback(v.value, v.plain)) for n, v in matter.pairs("variables")),
            links=self._links(),
            subject=subject.value if subject else "",
            due=matter.form("due", DUE),
            note=matter.text("note"),
            provider_template=matter.text("provider_template"),
            provider_vars=read_provider_vars(matter, texts[-1][1]),
            attachments=tuple(matter.items("attachments")),
            uses=frozenset().union(*(text.names for _, text in texts)),
            place=str(matter.place("template")),
        )
        self._check(template, texts)
        return template if template.name else None

    def _links(self) -> tuple[tuple[str, str], ...]:
        pairs = self.matter.pairs("links")
        for _, address in pairs:
            if not address.value.startswith(("https://", "http://")):
                self.matter.report.add(address.place, 203, f"'{address.value}' is not an address. Write 'https://…'.")
        return tuple((normal(name.value), address.value) for name, address in pairs)

    def _check(self, template: Template, texts: list[tuple[Part, Text]]) -> None:
        before = len(self.matter.report.problems)
        self._check_listed(template)
        for part, text in texts:
            for mistake in text.mistakes:
                self.matter.report.add(part.at(mistake.offset, mistake.length), mistake.code, mistake.sentence)
            for use in text.uses:
                self._check_use(use, part, template)
            self._check_words(text, part, template)
        self._check_must_contain(template, texts[-1][1])
        if template.channel and not self.released:
            self._check_later(template, texts)
        check_provider_vars(self.matter, template, self.readable, self.catalogue)
        good = len(self.matter.report.problems) == before and template.body.strip()
        if good and template.channel and template.purpose:
            advise(template, self.matter, texts, self.readable, self.catalogue.channels[template.channel])

    def _check_later(self, template: Template, texts: list[tuple[Part, Text]]) -> None:
        """What a release that was applied before these rules is not held to."""
        via, text = self.catalogue.channels[template.channel].via, texts[-1][1]
        check_sms(template, via, self.matter, text, self.readable)
        check_approval(template, via, self.matter, text, self.catalogue.approvals)
        check_links(template, [part for part, _ in texts], self.catalogue.settings.links, self.matter)

    def _check_listed(self, template: Template) -> None:
        for key, fallback in self.matter.pairs("variables"):
            name = normal(key.value)
            if name.startswith("link."):
                self.matter.report.add(key.place, 301, "a link is listed under 'links', as 'name: address'.")
            elif self.readable.kind(name) is None:
                self.matter.report.add(key.place, 301, self.readable.unknown(name))
            elif self._told_level(name, template):
                self._level(key.place, name)
            self._forbidden(fallback.value, fallback.place, template)

    def _check_use(self, use: Use, part: Part, template: Template) -> None:
        place = part.at(use.offset, len(use.name))
        if use.name.startswith("link."):
            links = [*(f"link.{n}" for n, _ in template.links), "link.unsubscribe"]
            if use.name not in links:
                self.matter.report.add(place, 301, no_such("link", use.name, links))
            return
        if use.name not in dict(template.variables):
            self._not_listed(use, place, template)
        unfit = self.readable.unfit(use)
        if unfit:
            self.matter.report.add(part.at(use.filter_offset, len(use.filter) + 2), 505, unfit)

    def _not_listed(self, use: Use, place: Place, template: Template) -> None:
        if use.name in self.unknown or self.matter.lost("variables"):
            return
        self.unknown.add(use.name)
        if self._told_level(use.name, template):
            self._level(place, use.name)
        else:
            self.matter.report.add(place, 501, f"'{use.name}' is used in the text and not listed under 'variables'.")

    def _told_level(self, name: str, template: Template) -> bool:
        return template.purpose in ("marketing", "service") and self.readable.is_tier(name)

    def _level(self, place: Place, name: str) -> None:
        self.matter.report.add(place, 509, f"'{name}' is a tier: a user is never told their level.")

    def _check_words(self, text: Text, part: Part, template: Template) -> None:
        for literal in text.literals:
            for word in forbidden_words(literal.text, self.catalogue.settings.never_say):
                at = max(literal.text.find(word), 0)
                self._forbidden(word, part.at(literal.offset + at, len(word)), template)

    def _forbidden(self, text: str, place: Place, template: Template) -> None:
        if template.purpose == "internal":
            return
        for word in forbidden_words(text, self.catalogue.settings.never_say):
            self.matter.report.add(place, 509, f"'{word}' is on the project's never_say list: a user is never told their level.")

    def _check_must_contain(self, template: Template, text: Text) -> None:
        channel: Channel | None = self.catalogue.channels.get(template.channel)
        if channel is None or template.purpose != "marketing":
            return
        for words in channel.must_contain:
            if words not in text.always():
                place = self.matter.body.at(0, max(len(self.matter.body.text.split("\n")[0]), 1))
                self.matter.report.add(place, 508, f"a marketing message on '{channel.name}' must contain '{words}'.")


def _fallback(text: str, plain: bool) -> str | None:
    return None if plain and text == "required" else text


def _compare(one: Template | None, other: Template, matter: FrontMatter) -> None:
    """Two languages of one template must say the same with the same names."""
    if one is None:
        return
    same = f"'{other.name}' in '{other.locale}'"
    for key in ("channel", "purpose"):
        ours, theirs = getattr(other, key), getattr(one, key)
        if ours and theirs and ours != theirs:
            matter.report.add(matter.place(key), 510, f"{same} has {key} '{ours}', but in '{one.locale}' it has '{theirs}'.")
    if dict.fromkeys(n for n, _ in other.variables).keys() != dict(one.variables).keys():
        differ = sorted(dict(other.variables).keys() ^ dict(one.variables).keys())
        sentence = f"{same} lists other variables than in '{one.locale}': {', '.join(differ)}. List the same names in both."
        matter.report.add(matter.root.key("variables"), 510, sentence)
    elif other.required != one.required:
        differ = sorted(other.required ^ one.required)
        matter.report.add(matter.root.key("variables"), 510, f"{same} and '{one.locale}' do not require the same: {', '.join(differ)}.")
