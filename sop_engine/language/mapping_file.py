"""Reads which column of a foreign file holds what: a small YAML file that says only what differs from our own names.

    # users.map.yml                              # orders.map.yml
    user_id: 会员编号                             event: order            # every row is an order; or:
    joined: 注册时间                              # event: {column: 类型, values: {购买: order}, skip: [曝光]}
    timezone: 时区                                user_id: 会员编号
    locale: 语言                                  at: 下单时间
    attributes: {城市: city, 手机号: mobile}       message_id: 流水号
    ignore: [备注]                                fields: {order_id: basket_id, amount: sales}

On the left stands our name, on the right the name of the column. What is not mentioned is looked for under our own name: `user_id`,
`joined`, `timezone`, `locale`, every attribute; `event`, `user_id`, `at`, `message_id`, `actor`, every field. Columns of no use are
reported unless `ignore` lists them; values of the `event` column listed in `skip` are left out on purpose.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sop_engine.core.errors import BadFile, BadInput
from sop_engine.language.report import did_you_mean

USER_KEYS = ("user_id", "joined", "timezone", "locale")
EVENT_KEYS = ("event", "user_id", "at", "message_id", "actor")
MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Our names and the columns that hold them. `event` is the kind of every row, or empty; then `values` translates a column's."""

    columns: Mapping[str, str] = field(default_factory=dict)  # user_id, at, … -> column
    facts: Mapping[str, str] = field(default_factory=dict)  # attribute or field -> column
    event: str = ""
    values: Mapping[str, str] = field(default_factory=dict)  # value of the event column -> event
    skip: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    place: str = ""  # the file, for messages


def read_mapping(path: Path, kind: str) -> ColumnMap:
    """The mapping in a YAML file for `users` or `events`; raises BadFile or BadInput naming the line."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadFile(f"{path}: the mapping cannot be read ({type(error).__name__}).") from error
    if len(data) > MOST_BYTES:
        raise BadFile(f"{path}: this is too long for a mapping.")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(data)):
            raise BadInput(f"{path}: write names out; anchors and aliases (& and *) are not read.")
        node = yaml.compose(data, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        raise BadFile(f"{path}: this is not YAML: {' '.join(str(error).split())[:200]}.") from error
    return _map(str(path), kind, _plain(str(path), node))


def _plain(place: str, node: yaml.Node | None) -> Any:
    """The node as texts, lists and maps, refusing what is written twice; an empty file is an empty map."""
    match node:
        case None:
            return {}
        case yaml.ScalarNode():
            return unicodedata.normalize("NFKC", str(node.value)).strip()
        case yaml.SequenceNode():
            return [_plain(place, item) for item in node.value]
    found: dict[str, Any] = {}
    for key, value in node.value:
        name = unicodedata.normalize("NFKC", str(key.value)).strip()
        if name in found:
            raise BadInput(f"{place}:{key.start_mark.line + 1}: '{name}' is written twice.")
        found[name] = _plain(place, value)
    return found


def _map(place: str, kind: str, content: Any) -> ColumnMap:
    known, facts = (USER_KEYS, "attributes") if kind == "users" else (EVENT_KEYS, "fields")
    if not isinstance(content, dict):
        raise BadInput(f"{place}: a mapping is lines like 'user_id: 会员编号'.")
    for key in content:
        if key not in (*known, facts, "ignore"):
            raise BadInput(f"{place}: '{key}' is not a key of a mapping of {kind}.{did_you_mean(key, [*known, facts, 'ignore'])}")
    event = content.pop("event", "")
    by_column = event if isinstance(event, dict) else {}
    for key in by_column:
        if key not in ("column", "values", "skip"):
            raise BadInput(f"{place}: '{key}' cannot stand in 'event'.{did_you_mean(key, ['column', 'values', 'skip'])}")
    columns = {key: _text(place, key, content[key]) for key in known if key in content}
    if by_column:
        columns["event"] = _text(place, "column", by_column.get("column", ""))
    return ColumnMap(
        columns,
        facts=_texts(place, facts, content.get(facts, {})),
        event="" if by_column or not event else _text(place, "event", event),
        values=_texts(place, "values", by_column.get("values", {})),
        skip=_list(place, "skip", by_column.get("skip", [])),
        ignore=_list(place, "ignore", content.get("ignore", [])),
        place=place,
    )


def _text(place: str, key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise BadInput(f"{place}: '{key}' takes the name of one column.")
    return value.strip()


def _texts(place: str, key: str, value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BadInput(f"{place}: '{key}' takes lines of our name and their name, as in {{城市: city}}.")
    return {name: _text(place, f"{key}: {name}", other) for name, other in value.items()}


def _list(place: str, key: str, value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadInput(f"{place}: '{key}' takes a list, as in [备注, 内部编号].")
    return frozenset(value)
