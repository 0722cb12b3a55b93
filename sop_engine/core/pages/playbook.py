"""Writes the page of a playbook: its sentences, its timeline, who gets what when, benefits, texts, stories."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from sop_engine.core.catalog import Benefit
from sop_engine.core.explain import text_of
from sop_engine.core.matrix import deed_of
from sop_engine.core.pages.markdown import block, bullets, code, link, page, plain, section, table
from sop_engine.core.pages.words import page_words
from sop_engine.core.playbook import Flow, Playbook
from sop_engine.core.preview import Preview
from sop_engine.core.project import Project
from sop_engine.core.say import goal_text, say
from sop_engine.core.say_forms import again, limit, valid
from sop_engine.core.say_words import words_of


def templates_sent(playbook: Playbook, project: Project) -> dict[str, str]:
    """Every template the playbook sends, in order, with a benefit that is given beside it; "" where none is."""
    found: dict[str, str] = {}
    for step in (step for name in playbook.flows for step in project.flows[name].steps):
        for word, names in step.send.options if step.send else ():
            given = (step.give.pick(word if step.give.by else None) or ()) if step.give else ()
            for name in names:
                found[name] = found.get(name) or next(iter(given), "")
    return found


def benefits_given(playbook: Playbook, project: Project) -> list[Benefit]:
    """Every benefit the playbook can give, in order, each followed by what stands in when it is used up."""
    steps = [step for name in playbook.flows for step in project.flows[name].steps]
    found: dict[str, Benefit] = {}
    for name in (name for step in steps if step.give for name in step.give.names()):
        benefit = project.benefits.get(name)
        while benefit is not None and benefit.name not in found:
            found[benefit.name] = benefit
            benefit = project.benefits.get(benefit.if_empty or "")
    return list(found.values())


def playbook_page(playbook: Playbook, project: Project, texts: Mapping[str, Sequence[Preview]], *, locale: str = "zh-CN") -> str:
    """The page in Markdown, with `NAME.svg` beside it; `texts` are its templates, written out in each of their languages."""
    words = page_words(locale)
    flows = [project.flows[name] for name in playbook.flows]
    parts = [
        plain(playbook.note or "".join(flow.note for flow in flows[:1])),
        " · ".join(_about(playbook, flows, locale)),
        f"![{plain(playbook.name)}]({playbook.name}.svg)",
        section(words["sentences"], *_sentences(flows, project, locale)),
        section(words["matrix"], _deeds(flows, project, locale), bullets(_left_alone(playbook, locale))),
        section(words["ends"], _ends(flows, project, locale)),
        section(words["experiment"], _experiments(flows, locale)),
        section(words["benefits"], *_benefits(playbook, flows, project, locale)),
        section(words["texts"], words["examples"] if texts else "", *(_text(one, locale) for found in texts.values() for one in found)),
        section(words["stories"], bullets(_stories(playbook, project)) or words["no_stories"]),
    ]
    return page(playbook.name, parts, words["made"])


def _about(playbook: Playbook, flows: list[Flow], locale: str) -> Iterator[str]:
    words = page_words(locale)
    if playbook.tier:
        yield f"{words['acts_on']} {link(playbook.tier, f'../tiers/{playbook.tier}.md')}"
    owners = dict.fromkeys(flow.owner for flow in flows if flow.owner)
    if owners:
        yield f"{words['owner']} {plain('/'.join(owners))}"
    if playbook.blueprint:
        yield f"{words['blueprint']} {plain(playbook.blueprint)}"


def _sentences(flows: list[Flow], project: Project, locale: str) -> Iterator[str]:
    for flow in flows:
        said = block(say(flow, project, locale=locale))
        yield said if len(flows) == 1 else f"**{plain(name_of(flow, locale))}**\n\n{said}"


def name_of(flow: Flow, locale: str) -> str:
    """What a flow is called beside others of its playbook: its level, `unscored`, or the playbook."""
    return flow.level or (page_words(locale)["unscored"] if flow.start.kind == "level" else flow.playbook)


def _deeds(flows: list[Flow], project: Project, locale: str) -> str:
    words = page_words(locale)
    rows = []
    for flow in flows:
        for step in flow.steps:
            deed = deed_of(step, project, locale=locale)
            shown = ("/".join(deed.channels), "/".join(deed.content_types), "/".join((*deed.benefits, *deed.other)))
            level = name_of(flow, locale) if flow.start.kind == "level" else ""
            rows.append([plain(one) for one in (level, deed.when, deed.step, *shown)])
    return table([words[key] for key in ("level", "when", "step", "channel", "content", "benefit")], rows)


def _left_alone(playbook: Playbook, locale: str) -> Iterator[str]:
    for level, reason in playbook.none:
        yield plain(page_words(locale)["left_alone"].format(level, reason))


def _ends(flows: list[Flow], project: Project, locale: str) -> str:
    words, said = page_words(locale), words_of(locale)
    rows = []
    for flow in flows:
        goal = goal_text(flow.goal, project, said) if flow.goal else ""
        counts = said["list"].join(goal_text(one, project, said) for one in flow.counts)
        exits = "<br>".join(f"{plain(reason)}: {code(text_of(condition))}" for reason, condition in flow.exits)
        once = again(flow.again, said).rstrip("。.")
        rows.append([plain(name_of(flow, locale)), words[flow.intent], plain(goal), plain(counts), exits, plain(once)])
    return table([words[key] for key in ("flow", "intent", "goal", "counts", "exits", "again")], rows)


def _experiments(flows: list[Flow], locale: str) -> str:
    words = page_words(locale)
    rows = []
    for flow in (flow for flow in flows if flow.holdout or flow.variants or flow.experiment):
        arms = [f"{name} {_percent(share)}" for name, share in flow.variants]
        arms += [words["holdout"].format(_percent(flow.holdout))] if flow.holdout else []
        asked = flow.experiment
        declared = ["", "", "", "", ""]
        if asked is not None:
            guards = ", ".join(f"{name} {most}" for name, most in asked.guardrails)
            planned = f"{asked.planned_per_arm:,}" if asked.planned_per_arm else ""
            declared = [asked.metric, planned, asked.mode, guards, asked.winner]
        rows.append([plain(cell) for cell in (flow.experiment_name, " · ".join(arms), *declared)])
    head = [words[key] for key in ("experiment", "arms", "measured", "planned", "mode", "guardrails", "winner")]
    return table(head, rows) if rows else ""


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}%"


def _benefits(playbook: Playbook, flows: list[Flow], project: Project, locale: str) -> Iterator[str]:
    words, said = page_words(locale), words_of(locale)
    found = benefits_given(playbook, project)
    if not found:
        yield words["no_benefits"]
        return
    rows = []
    for one in found:
        more = [one.if_empty or words["skip"], "" if one.stack else words["alone"]]
        money = [_amount(one.worth), _amount(one.min_spend), _amount(one.cost)]
        cells = [one.name, *money, valid(one.valid, said), limit(one.limit, said), limit(one.budget, said), *more]
        rows.append([plain(cell) for cell in cells])
    yield table([words[key] for key in ("benefit", "worth", "min_spend", "cost", "valid", "limit", "budget", "if_empty", "note")], rows)
    budgets = [words["flow_budget"].format(name_of(flow, locale), limit(flow.budget, said)) for flow in flows if flow.budget]
    yield bullets(plain(line) for line in budgets)


def _amount(value: Decimal | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value.normalize():,f}" if value else ""


def _text(one: Preview, locale: str) -> str:
    words = page_words(locale)
    head = " · ".join(plain(part) for part in (one.channel, one.purpose, one.locale) if part)
    title = f"**{plain(one.template)}** · {head}"
    if one.missing:
        return f"{title}\n\n{plain(words['missing'].format(one.missing))}"
    size = words["size"].format(one.length) + (words["most"].format(one.max_length) if one.max_length else "")
    size += words["parts"].format(one.parts) if one.parts else ""
    stands = words_of(locale)["list"].join(f"{name} → {text or words['left_out']}" for name, text in one.fallbacks)
    told = " · ".join([size, *([words["stands"].format(stands)] if stands else [])])
    written = f"{one.subject}\n\n{one.text.strip()}" if one.subject else one.text
    return f"{title}\n\n{block(written)}\n\n{plain(told)}"


def _stories(playbook: Playbook, project: Project) -> Iterator[str]:
    for story in project.stories:
        if playbook.name in story.playbooks:
            yield plain(story.title + (f" ({story.variant})" if story.variant else ""))
