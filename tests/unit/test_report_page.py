import json
import math
import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import InputError
from backend.quality.intervals import Interval
from backend.reports import figures
from backend.reports.figures import Row, Series
from backend.reports.page import (
    Column,
    Provenance,
    Report,
    Section,
    Spread,
    Table,
    Text,
    bounds,
    shown,
    to_html,
    to_json,
    write_report,
)

HALF = Interval(0.5, 0.4, 0.6)
PERCENT = Column("F1", percent=True)
HOSTILE = "<script>alert(1)</script> & $x^2$ \"'"


def report_of(*blocks, words="words", results=None):
    return Report(
        f"Report of {words}",
        [f"What was found: {words}."],
        [Section(words, blocks)],
        Provenance("harambee evaluate", words, seed=3, more={"labels": words}),
        results or {},
    )


def plots(name="model"):
    rows = [Row(name, HALF, "xx"), Row("other", Interval(0.2, math.nan, math.nan), "yy")]
    line = Series(name, [1, 2], [0.2, 0.4], [0.1, 0.3], [0.3, 0.5])
    return [
        figures.learning_curve("Learning", [line, line], "labels", "F1", {name: 0.3}),
        figures.reliability_diagram("Honesty", [line]),
        figures.bars("Bars", rows, "F1", percent=True),
        figures.forest("Forest", rows, "F1", reference=0),
    ]


class Page(HTMLParser):
    """What a reader of the page finds in it."""

    VOID = frozenset({"meta", "link", "br"})

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.words, self.ids, self.addresses = [], [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in {"href", "src", "xlink:href"}:
                self.addresses.append(value)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return "".join(self.words)


class TestThePage:
    @settings(max_examples=50)
    @given(st.text(min_size=1, max_size=40))
    def test_words_from_outside_are_words_and_nothing_else(self, words):
        table = Table(words, [Column(words), Column(words, words=True)], [(words, words)], words)
        strange, plain = (Page(to_html(report_of(Text(w), table, words=w))) for w in (words, "x"))
        assert strange.tags == plain.tags

    def test_markup_is_shown_as_it_was_written(self):
        assert HOSTILE in Page(to_html(report_of(Text(HOSTILE), *plots(HOSTILE)))).text

    def test_it_is_well_formed_and_needs_nothing_else(self):
        page = Page(to_html(report_of(*plots())))
        assert page.open == []
        assert "script" not in page.tags
        assert {address[0] for address in page.addresses} <= {"#", "d"}  # inside, or data:

    def test_no_id_is_there_twice(self):
        page = Page(to_html(report_of(*plots(), *plots())))
        assert len(page.ids) == len(set(page.ids))
        inside = {address[1:] for address in page.addresses if address[0] == "#"}
        assert inside <= set(page.ids)

    def test_a_table_names_its_rows_and_columns(self):
        html = to_html(report_of(Table("T", [Column("model"), PERCENT], [("m", HALF)])))
        assert '<th scope="col" class="words">model</th>' in html
        assert '<th scope="row">m</th><td>50.0<span class="bounds">40.0–60.0</span></td>' in html

    def test_it_says_what_made_it(self):
        text = Page(to_html(report_of(words="the data"))).text
        assert "harambee evaluate" in text
        assert "seed3" in text


MAIN_FACTS = ("command", "data", "model", "prompt version", "seed")


class TestWhatMadeIt:
    def blocks(self):
        return [Table("T", [Column("model"), PERCENT], [("m", HALF)]), *plots()]

    def test_every_table_and_figure_names_it(self):
        provenance = Provenance("harambee evaluate", "folder", 3, "gpt-x", "ner-v7")
        report = Report("R", [], [Section("S", self.blocks())], provenance)
        html = to_html(report)
        captions = [part.partition("</summary>")[0] for part in html.split('class="made"')[1:]]
        assert len(captions) == len(self.blocks())
        for caption in captions:
            words = Page(caption).text
            for fact in ("harambee evaluate", "folder", "gpt-x", "ner-v7", "seed 3"):
                assert fact in words

    def test_every_table_in_json_names_it(self):
        data = json.loads(to_json(report_of(*self.blocks(), words="the data")))
        assert [table["made_by"] for table in data["tables"]] == [data["provenance"]]
        assert set(MAIN_FACTS) < set(data["provenance"])

    def test_what_nobody_stated_is_said_to_be_unknown(self):
        lines = Provenance("harambee drift", "events.jsonl").lines()
        assert lines["model"] == lines["prompt version"] == "not stated"
        assert lines["seed"].startswith("none")

    def test_several_seeds_are_stated_in_words(self):
        assert Provenance("c", "d", "0 to 4").main()["seed"] == "0 to 4"

    def test_what_stands_in_a_command_is_shown_as_it_was_given(self):
        provenance = Provenance(HOSTILE, HOSTILE, model=HOSTILE, prompt_version=HOSTILE)
        html = to_html(Report("R", [], [Section("S", self.blocks())], provenance))
        assert "<script" not in html
        assert Page(html).text.count(HOSTILE) == 4 * (1 + 2 * len(self.blocks()))


class TestCells:
    @pytest.mark.parametrize(
        ("cell", "column", "expected"),
        [
            (None, PERCENT, "–"),
            (math.nan, PERCENT, "–"),
            (0.1234, PERCENT, "12.3"),
            (1, PERCENT, "100.0"),
            (12345, Column("n"), "12,345"),
            (0.5, Column("cost", decimals=4, unit=" $"), "0.5000 $"),
            ("words", PERCENT, "words"),
            (HALF, PERCENT, "50.0"),
        ],
    )
    def test_a_number_is_shown_as_its_column_says(self, cell, column, expected):
        assert shown(cell, column) == expected

    def test_bounds_are_shown_where_they_are_known(self):
        assert bounds(HALF, PERCENT) == "40.0–60.0"
        assert bounds(Interval(0.5, math.nan, math.nan), PERCENT) == ""
        assert bounds(Interval(math.nan, 0, 1), PERCENT) == ""
        assert bounds(0.5, PERCENT) == ""

    def test_a_spread_is_shown_with_its_ends_and_is_no_interval(self):
        spread = Spread(0.5, 0.25, 0.75)
        assert (shown(spread, PERCENT), bounds(spread, PERCENT)) == ("50.0", "25.0–75.0")
        data = json.loads(to_json(report_of(Table("T", [PERCENT], [(spread,)]))))
        assert data["tables"][0]["rows"] == [{"F1": {"value": 0.5, "low": 0.25, "high": 0.75}}]

    def test_bounds_below_nought_are_told_from_dashes(self):
        assert bounds(Interval(0, -0.1, 0.1), PERCENT) == "−10.0 to 10.0"


class TestTheJson:
    def test_it_holds_results_and_tables_as_measured(self):
        table = Table("T", [Column("model"), PERCENT], [("m", HALF), ("n", math.nan)])
        data = json.loads(to_json(report_of(table, results={"f1": 1 / 3, "of": (HALF,)})))
        assert data["results"]["f1"] == 1 / 3
        assert data["results"]["of"][0]["low"] == 0.4
        (written,) = data["tables"]
        assert [row["model"] for row in written["rows"]] == ["m", "n"]
        assert written["rows"][1]["F1"] is None

    def test_columns_of_one_heading_are_told_apart(self):
        table = Table("T", [Column("model"), Column("n"), Column("n")], [("m", 1, 2)])
        (written,) = json.loads(to_json(report_of(table)))["tables"]
        assert written["rows"] == [{"model": "m", "n": 1, "n (2)": 2}]

    def test_both_files_are_written(self, tmp_path):
        as_json, as_html = write_report(report_of(Text("x")), tmp_path / "new" / "folder")
        assert json.loads(as_json.read_text())["title"] == "Report of words"
        assert as_html.read_text().startswith("<!doctype html>")

    def test_a_folder_that_cannot_be_is_said(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match="Choose another --out"):
            write_report(report_of(), tmp_path / "file")


class TestFigures:
    def test_each_is_sound_svg_with_its_words_as_words(self):
        for figure in plots("a <b> & $c$"):
            root = ElementTree.fromstring(figure.svg)
            words = "".join(root.itertext())
            if figure.caption != "Honesty":  # one line needs no legend
                assert "a <b> & $c$" in words

    def test_they_are_the_same_every_time(self):
        assert plots() == plots()

    def test_their_colours_are_the_pages(self):
        for figure in plots():
            assert "var(--series-1, #" in figure.svg
            assert "#0104" not in figure.svg
            assert "#010101" not in figure.svg

    def test_somebody_who_cannot_see_them_hears_their_numbers(self):
        assert "model, xx: 50 (40 to 60); other, yy: 20." in {each.alt for each in plots()}


def test_plotting_is_loaded_only_for_a_plot():
    code = "import sys, backend.reports.figures; print('matplotlib' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
