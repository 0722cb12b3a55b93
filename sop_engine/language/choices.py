"""Reads what a step sends or gives: one name, a list, or a choice by variant or word."""

from dataclasses import dataclass

from sop_engine.core.conditions import Ref
from sop_engine.core.playbook import Choice
from sop_engine.language.names import normal
from sop_engine.language.reader import Reader
from sop_engine.language.report import did_you_mean
from sop_engine.language.source import List, Map, Node, Text
from sop_engine.language.typed import called


@dataclass(frozen=True)
class Chooser:
    """What a choice may be made by: the flow's variants, or with `by` the words of a fact. `failed`: unknown, nothing is said."""

    variants: tuple[str, ...] = ()
    by: Ref | None = None
    words: tuple[str, ...] = ()
    failed: bool = False

    @property
    def name(self) -> str:
        """What the choice is made by, as the engine names it."""
        return self.by.name if self.by else "variant"

    def known(self, key: str) -> bool:
        """Whether a choice may have this key."""
        return self.failed or key in (*self.words, "otherwise") if self.by or self.failed else key in self.variants


def read_by(node: Node | None, reader: Reader) -> tuple[Ref | None, tuple[str, ...], bool]:
    """The fact named by `by`, its words, and whether it could not be read."""
    if node is None:
        return None, (), False
    name = reader.name(node, "fact", what="attribute, metric or tier with words")
    symbol = reader.names.symbols.get(name) if name else None
    if symbol is None or symbol.kind == "any":
        return None, (), True
    if symbol.kind not in ("words", "level"):
        reader.error(node, 405, f"'by' chooses among words, but '{name}' is {called(symbol.kind)}.")
        return None, (), True
    return Ref(symbol.space, symbol.name, symbol.kind), symbol.words, False


def read_choice(node: Node, kind: str, chooser: Chooser, reader: Reader) -> Choice:
    """The choice; `kind` is template or benefit. What does not exist is reported and left out."""
    if not isinstance(node, Map):
        return Choice((("", _names(node, kind, reader)),))
    if not chooser.known("") and not chooser.by and not chooser.variants:
        reader.error(node, 608, f"there is nothing to choose by: this flow has no variants and this step no 'by'. Write one {kind}.")
        return Choice(())
    options = []
    for key, written, value in node:
        if chooser.known(key):
            options.append((key, _names(value, kind, reader)))
        else:
            _no_choice(written, key, chooser, reader)
    return Choice(tuple(options), by=chooser.name)


def _names(node: Node, kind: str, reader: Reader) -> tuple[str, ...]:
    if isinstance(node, List) and kind == "benefit":
        reader.error(node, 206, "a step gives one benefit. Write another step for a second one.")
        return ()
    if isinstance(node, List) and not node.items:
        reader.error(node, 206, f"this list is empty. Name a {kind}.")
    return reader.many(node, lambda item: reader.name(item, kind))


def _no_choice(written: Text, key: str, chooser: Chooser, reader: Reader) -> None:
    if chooser.by:
        names = (*chooser.words, "otherwise")
        reader.error(written, 608, f"'{chooser.by.name}' has no word '{key}'.{did_you_mean(key, names)}")
    else:
        reader.error(written, 608, f"there is no variant '{normal(key)}'.{did_you_mean(key, chooser.variants)}")
