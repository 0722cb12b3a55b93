"""Every file of `bad/` gives exactly the messages that are written at its end, beside the good project."""

import pathlib

import pytest

from sop_engine.language.folder import read_folder
from sop_engine.language.load import check

HERE = pathlib.Path(__file__).parent
BAD = sorted((HERE / "bad").iterdir())
GOOD = read_folder(HERE / "good")


def expected(text: str) -> list[str]:
    """The messages written after `# expected:`, sorted."""
    lines = text.partition("# expected:\n")[2].splitlines()
    return sorted(line.removeprefix("# ") for line in lines if line != "#}")


@pytest.mark.parametrize("file", BAD, ids=[f.name for f in BAD])
def test_a_broken_file_gives_exactly_the_messages_at_its_end(file: pathlib.Path) -> None:
    text = file.read_text("utf-8")

    checked = check({**GOOD, f"broken/{file.name}": text})

    assert sorted(str(p) for p in checked.problems if p.severity != "info") == expected(text)
    assert checked.project is None


def test_the_example_project_has_no_errors_and_no_warnings() -> None:
    checked = check(GOOD)

    assert [str(p) for p in checked.problems if p.severity != "info"] == []
    assert checked.project is not None


def test_every_code_of_reading_is_shown_by_a_broken_file() -> None:
    shown = {line.split(" SOP")[1][:3] for file in BAD for line in expected(file.read_text("utf-8"))}
    elsewhere = {"604", "610", "612", "613"}  # of the whole project: test_loading.py

    assert shown | elsewhere >= {
        *("101", "102", "103", "104", "105", "106"),
        *("201", "202", "203", "204", "205", "206", "207", "301", "302", "303", "304"),
        *("401", "402", "403", "404", "405", "406", "407", "408", "501", "503", "504", "505", "506", "508", "509"),
        *("601", "602", "603", "604", "605", "606", "607", "608", "609", "610", "611", "612", "613", "614", "615", "616"),
    }
