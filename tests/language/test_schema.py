"""The JSON Schema for editors: derived from the tables of keys and the names of the project."""

import json
import pathlib
import re
from typing import Any

from sop_engine.language.folder import read_folder
from sop_engine.language.load import load
from sop_engine.language.schema import json_schema
from sop_engine.language.vocabulary import BENEFIT, FLOW, STEP

GOOD = load(read_folder(pathlib.Path(__file__).parent / "good"))


def document(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The part of the schema for one kind of document."""
    found: dict[str, Any] = next(part["then"] for part in schema["allOf"] if part["if"].get("required") == [kind])
    return found


def test_every_key_of_the_tables_is_in_the_schema_and_no_other() -> None:
    schema = json_schema(None)

    assert set(schema["$defs"]["step"]["properties"]) == set(STEP)
    assert schema["$defs"]["step"]["additionalProperties"] is False
    assert set(document("playbook", schema)["properties"]) > set(FLOW)


def test_required_keys_are_required() -> None:
    collections = json_schema(None)["allOf"][-1]["then"]["properties"]

    assert collections["benefits"]["additionalProperties"]["required"] == [name for name, key in BENEFIT.items() if key.required]


def test_the_names_of_the_project_complete() -> None:
    schema = json_schema(GOOD)
    send = schema["$defs"]["step"]["properties"]["send"]["anyOf"]

    assert send[0] == {"enum": list(GOOD.templates)}
    assert schema["$defs"]["step"]["properties"]["void"]["enum"] == list(GOOD.benefits)
    assert "订单" not in json.dumps(json_schema(None), ensure_ascii=False)


def test_forms_are_patterns_with_the_sentence_said_otherwise() -> None:
    at = json_schema(None)["$defs"]["step"]["properties"]["at"]

    assert re.search(at["pattern"], "day 3 10:00") and not re.search(at["pattern"], "day3 10:00")
    assert "?P<" not in at["pattern"]
    assert at["patternErrorMessage"].startswith("This is not a moment.")


def test_the_schema_is_json() -> None:
    assert json.loads(json.dumps(json_schema(GOOD))) == json_schema(GOOD)
