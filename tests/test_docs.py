"""The documentation is whole: every command, problem code, setting, state and reason is in it, as the code has them."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from sop_engine import settings
from sop_engine.channels.contract import REASONS
from sop_engine.settings.accounts import describe_accounts
from tests.test_house import ROOT, nodes, python_files

DOCS = ROOT / "docs"
PAGES = ("quickstart", "playbooks", "problems", "commands", "architecture", "states", "glossary", "settings", "comparing", "measuring")
REASON_AT = {"Skip": 0, "Defer": 0, "Refused": 0, "Decline": 0, "GiveUp": 0, "end_runs": 2, "end": 1}
NOT_A_MESSAGE = {"range", "max", "min", "round"}


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text("utf-8")


def missing(words: set[str], text: str) -> list[str]:
    """The words that the text does not have in backticks."""
    return sorted(word for word in words if f"`{word}`" not in text)


def commands_of(group: Any, path: str) -> Iterator[str]:
    """Every command below this one that is not hidden, as it is typed."""
    for name, command in getattr(group, "commands", {}).items():
        if not command.hidden:
            if not hasattr(command, "commands"):
                yield f"{path} {name}"
            yield from commands_of(command, f"{path} {name}")


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def codes_used() -> set[str]:
    """Numbers from 101 to 899 that stand before a sentence in a call of the language room, or as a key of a table there."""
    found: set[int] = set()
    for file in python_files("sop_engine/language"):
        for node in nodes(file):
            if isinstance(node, ast.Call) and called(node) not in NOT_A_MESSAGE:
                found.update(n for arg, after in zip(node.args, node.args[1:], strict=False) if not numbers(after) for n in numbers(arg))
                found.update(n for keyword in node.keywords if keyword.arg == "code" for n in numbers(keyword.value))
            elif isinstance(node, ast.Dict):
                found.update(n for key in node.keys if key is not None for n in numbers(key))
    return {f"SOP{n}" for n in found if 100 < n < 900}


def numbers(node: ast.AST) -> set[int]:
    """The whole number a node is, or both of `a if … else b`."""
    if isinstance(node, ast.IfExp):
        return numbers(node.body) | numbers(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) and type(node.value) is int else set()


def words(node: ast.AST | None) -> set[str]:
    """The words a node is: one string, or several in a tuple, list or set, or both of `a if … else b`."""
    if isinstance(node, ast.IfExp):
        return words(node.body) | words(node.orelse)
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return {word for part in node.elts for word in words(part)}
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value else set()


def states_used() -> set[str]:
    """States that rows are given or asked for: `state="x"`, `{"state": "x"}`, `t.state == "x"`, `t.state in (…)`."""
    found: set[str] = set()
    for file in python_files("sop_engine/core", "sop_engine/store", "sop_engine/actions"):
        for node in nodes(file):
            match node:
                case ast.keyword(arg="state" | "states", value=value) | ast.AnnAssign(target=ast.Name(id="state"), value=value):
                    found |= words(value)
                case ast.Dict():
                    found |= {w for k, v in zip(node.keys, node.values, strict=True) if words(k) == {"state"} for w in words(v)}
                case ast.Compare(left=ast.Attribute(attr="state")):
                    found |= {w for other in node.comparators for w in words(other)}
                case ast.Call(func=ast.Attribute(attr="in_", value=ast.Attribute(attr="state"))):
                    found |= {w for arg in node.args for w in words(arg)}
    return found


def reasons_used() -> set[str]:
    """Reasons written by core, store and actions; those of channels are a table of their own."""
    found = {word for by_kind in REASONS.values() for word in by_kind}
    for file in python_files("sop_engine/core", "sop_engine/store", "sop_engine/actions"):
        for node in nodes(file):
            if isinstance(node, ast.Call):
                at = REASON_AT.get(called(node), len(node.args))
                found |= {w for arg in node.args[at : at + 1] for w in words(arg)}
                found |= {w for k in node.keywords if k.arg in ("reason", "end_reason") for w in words(k.value)}
            elif isinstance(node, ast.FunctionDef):
                defaults = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                found |= {w for arg, value in defaults if arg.arg == "reason" for w in words(value)}
                if node.name == "_refusal":
                    found |= {w for inner in ast.walk(node) if isinstance(inner, ast.Return) for w in words(inner.value)}
    return found


def test_every_page_is_there() -> None:
    assert [name for name in PAGES if not (DOCS / f"{name}.md").exists()] == []


def test_every_command_is_documented() -> None:
    from sop_engine.cli.main import app

    found = set(commands_of(typer.main.get_command(app), "sop"))
    assert found
    assert [command for command in sorted(found) if not re.search(rf"`{command}[ `]", page("commands"))] == []


def test_every_problem_code_is_documented() -> None:
    assert sorted(code for code in codes_used() if code not in page("problems")) == []


def test_every_documented_problem_can_happen() -> None:
    assert sorted(set(re.findall(r"SOP\d{3}", page("problems"))) - codes_used()) == []


def test_every_setting_is_documented_with_its_default() -> None:
    told = [(name, f"`{default}`" if default else "") for name, default, meaning in settings.describe() if meaning]
    assert [name for name, default in told if f"| `{name}` | {default} |" not in page("settings")] == []
    tests = {name for file in python_files("tests") for name in re.findall(r"SOP_(?:TEST|REQUIRE)_[A-Z]+", file.read_text("utf-8"))}
    assert missing(tests | {key for _, key, _ in describe_accounts()}, page("settings")) == []


def test_every_state_is_documented() -> None:
    assert {"planned", "queued", "sending", "sent", "unknown"} <= states_used()
    assert missing(states_used(), page("states")) == []


def test_every_reason_is_documented() -> None:
    assert {"late", "cap", "again", "limit", "goal", "left", "removed"} <= reasons_used()
    assert missing(reasons_used(), page("states")) == []


def test_the_glossary_is_short() -> None:
    terms = re.findall(r"^\| \*\*(.+?)\*\* \|", page("glossary"), re.MULTILINE)
    assert 20 <= len(terms) <= 30
    assert len(terms) == len(set(terms))


@pytest.mark.parametrize("file", sorted(DOCS.rglob("*.md")), ids=lambda file: file.name)
def test_every_link_leads_somewhere(file: Any) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", file.read_text("utf-8"))
    assert [link for link in links if not (file.parent / link).exists()] == []


def test_every_word_of_a_comparison_is_documented() -> None:
    from sop_engine.core.comparison import cross, phrases, values
    from sop_engine.core.stats import bounds

    words = {*values.WARNINGS, *phrases.WORDS["en"], *phrases.REASONS["en"], *bounds.MODES} - {"no_clear_difference_yet"}
    words |= {"sample_ratio", "holdout_was_sent", "two_arms", "breached", "kept", "unclear", "harm", "no_harm_seen", "few_buyers"}
    assert missing({*words, "weak", "strong", "few"}, page("comparing")) == []
    assert set(cross.BY) >= {"content_type", "channel", "benefit", "level", "variant"}
    for lang in ("en", "zh"):
        assert set(phrases.REASONS[lang]) == set(phrases.REASONS["en"])
        assert set(phrases.SENTENCES[lang]) == set(phrases.SENTENCES["en"])


def test_every_measure_is_documented_with_its_definition_and_reference() -> None:
    from sop_engine.core.measures.listed import MEASURES
    from sop_engine.core.measures.said import references

    told = page("measuring")
    wanted = [
        f"| `{m.key}` {m.en} | {m.what_en} | {references(m, 'en') or '–'} | {', '.join(m.answers) or '–'} |" for m in MEASURES.values()
    ]
    assert [row for row in wanted if row not in told] == []
