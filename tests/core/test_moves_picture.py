"""The picture of moves between levels: a band for each pair, as wide as its moves are many, and nothing without moves."""

import re
from xml.etree import ElementTree

from sop_engine.core.reports.picture import HEIGHT, moves_picture
from sop_engine.core.reports.tables import Made, Section, table
from sop_engine.core.reports.written import write

SVG = moves_picture([("high", "low", 30), ("low", "high", 10), ("low", "a<b", 20)], "moves")


def test_there_is_a_band_for_every_pair_of_levels_and_a_name_with_its_number_on_either_side() -> None:
    root = ElementTree.fromstring(SVG)
    assert [one.findtext("title") for one in root.iter("path")] == ["high → low: 30", "low → high: 10", "low → a<b: 20"]
    assert [one.text for one in root.iter("text")] == ["high 30", "low 30", "high 10", "low 30", "a<b 20"]


def test_bars_are_as_high_as_their_moves_are_many_and_fit_the_picture() -> None:
    bars = [float(high) for high in re.findall(r'<rect [^>]* height="([\d.]+)"', SVG)]
    assert bars[0] == bars[1] == bars[3] and abs(bars[2] * 3 - bars[0]) < 0.2
    assert sum(bars[:2]) <= HEIGHT and sum(bars[2:]) <= HEIGHT


def test_without_moves_nothing_is_drawn() -> None:
    assert moves_picture([], "moves") == "" == moves_picture([("a", "b", 0)], "moves")


def test_a_report_of_moves_has_the_picture_in_html_alone() -> None:
    rows = table("moves", ("from", "to", "moves:count"), [["high", "low", 3]])
    made = Made("weekly", "", "2025-06-23", "2025-06-29", (Section("moves", (rows,)),))
    assert "high → low: 3" in write(made, "html", "en")
    assert "<svg" not in write(made, "md", "en")
