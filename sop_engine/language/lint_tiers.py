"""Says what is odd about tier models: short windows, many dimensions, one kind of interaction, no reason given."""

from collections.abc import Iterable

from sop_engine.core.conditions import Condition, refs_of
from sop_engine.core.forms import Length
from sop_engine.core.metrics import Metric
from sop_engine.core.tiers import Tier
from sop_engine.language.dimensions import dimensions_of, metrics_read
from sop_engine.language.lint_places import Lint

MANY, TOO_MANY = 6, 10
_AGE_GENDER_INCOME = frozenset({"年龄", "性别", "收入", "月收入", "年收入", "age", "gender", "sex", "income"})


def lint_tiers(lint: Lint) -> None:
    """Add the messages 702, 703, 705 and 707."""
    for tier in lint.project.tiers.values():
        _short_windows(tier, lint)
        found = dimensions_of(tier, lint.project)
        if MANY <= len(found) < TOO_MANY:
            sentence = f"'{tier.name}' reads {len(found)} dimensions: {'; '.join(found)}. Nobody remembers so many; five are enough."
            lint.report.warn(lint.key("tier", tier.name), 703, sentence)
        _one_interaction(tier, lint)
        if not tier.note:
            sentence = f"'{tier.name}' has no 'note'. Say why this split is needed, and the evidence."
            lint.report.warn(lint.key("tier", tier.name), 707, sentence)


def only_demographics(conditions: Iterable[Condition | None], lint: Lint) -> bool:
    """Whether the conditions read age, gender or income and nothing else."""
    refs = [ref for condition in conditions for ref in refs_of(condition)]
    return bool(refs) and all(ref.name in _AGE_GENDER_INCOME or _is_age(lint.project.metrics.get(ref.name)) for ref in refs)


def _is_age(metric: Metric | None) -> bool:
    return metric is not None and metric.verb == "years_since"


def _short_windows(tier: Tier, lint: Lint) -> None:
    if tier.min_window is None:
        return
    rules = [("levels", level.name, level.rule) for level in tier.levels]
    rules += [("keep", level.name, level.keep) for level in tier.levels if level.keep is not None]
    for key, level, rule in rules:
        for metric in metrics_read([rule], lint.project).values():
            if metric.verb != "score" and metric.within is not None and _days(metric.within) < tier.min_window:
                sentence = (
                    f"'{metric.name}' looks back {metric.within}, less than this model's 'min_window: {tier.min_window}d'. "
                    "Read a metric with a longer window."
                )
                lint.report.warn(lint.at("tier", tier.name, key, level), 702, sentence)


def _days(length: Length) -> float:
    return length.days if length.days is not None else (length.exact.total_seconds() / 86400 if length.exact else 0)


def _one_interaction(tier: Tier, lint: Lint) -> None:
    """705: every rule counts the same single kind out of a group of interactions, and nothing else is read."""
    project = lint.project
    rules = [c for level in tier.levels for c in (level.rule, level.keep)]
    if any(ref.space in ("attribute", "tier") and ref.kind != "flag" for rule in rules for ref in refs_of(rule)):
        return
    metrics = metrics_read(rules, project).values()
    kinds = {kind for metric in metrics for kind in metric.events}
    about_facts = any(name not in project.metrics for metric in metrics for name in metric.of)
    if len(kinds) != 1 or about_facts:
        return
    (kind,) = kinds
    purchase = project.settings.purchase[0]
    group = next((n for n, kinds in project.groups.items() if kind in kinds and len(kinds) > 1 and purchase not in kinds), None)
    if group is None:
        return
    sentence = f"'{tier.name}' reads only '{kind}' of '{group}'. Who shows interest in another way is missed; count '{group}' instead."
    lint.report.warn(lint.key("tier", tier.name), 705, sentence)
