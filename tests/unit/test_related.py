"""Labels of other languages in a simulation: whose they are, and what they must not hold."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import write_corpora

from backend.domain import Example, Span
from backend.errors import InputError
from backend.settings import TaggerSettings
from backend.simulation.corpus import read_corpus
from backend.simulation.plan import (
    FULL,
    PAPER,
    RANDOM,
    Amount,
    Cell,
    Costs,
    FirstTexts,
    Plan,
    Route,
    cells_of,
    configuration,
    units_of,
)
from backend.simulation.related import (
    Related,
    described,
    related_in,
    sources_beside,
    sources_for,
)
from backend.text.conll import from_text, write_conll


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_corpora(tmp_path_factory.mktemp("corpora"))


def conll(path: Path, *texts: str) -> Path:
    write_conll(path, [from_text(text, (Span(0, 3, "PER"),)) for text in texts])
    return path


class TestWhoIsMeant:
    def test_all_stands_for_every_language_of_the_folder(self, folder):
        assert [each.language for each in related_in(folder, ["all"])] == ["aaa", "bbb"]

    def test_a_language_is_its_train_part(self, folder):
        (found,) = related_in(folder, ["bbb"])

        assert found == Related("bbb", folder / "bbb" / "train.txt", "bbb")

    def test_anything_else_is_a_file(self, folder, tmp_path):
        path = conll(tmp_path / "afr.conll", "Ada sien Kano")

        assert related_in(folder, [str(path)]) == (Related(str(path), path),)

    def test_a_name_counts_once(self, folder):
        assert len(related_in(folder, ["bbb", "all", "bbb"])) == 2

    def test_nothing_is_nobody(self, folder):
        assert related_in(folder, []) == related_in(None, []) == ()

    @pytest.mark.parametrize("place", ["folder", None])
    def test_what_is_neither_is_said(self, folder, place):
        with pytest.raises(InputError, match="'xyz' is no file and no language of --data"):
            related_in(folder if place else None, ["xyz"])


class TestWhatTheyBring:
    def test_a_language_is_never_related_to_itself(self, folder):
        corpus = read_corpus(folder, "aaa")

        assert sources_for(related_in(folder, ["all"]), corpus).keys() == {"bbb"}

    @pytest.mark.parametrize("part", ["train", "dev", "test"])
    def test_no_text_of_the_corpus_itself_comes_back_through_a_file(self, folder, part):
        """A copy of a held-out part would be the answers to the examination."""
        corpus = read_corpus(folder, "aaa")
        copy = Related("copy", folder / "aaa" / f"{part}.txt")

        assert sources_for([copy], corpus) == {"copy": []}

    @given(
        own=st.sets(st.sampled_from(["Ada is here", "Ben was there", "Eve left"])),
        space=st.sampled_from([" ", "  ", "\t"]),
    )
    @settings(max_examples=20, deadline=None)
    def test_white_space_hides_no_copy(self, tmp_path_factory, own, space):
        everything = ("Ada is here", "Ben was there", "Eve left")
        path = conll(tmp_path_factory.mktemp("file") / "a.conll", *everything)

        found = sources_beside(
            [Related("a", path)], None, [text.replace(" ", space) for text in own]
        )

        assert [one.text for one in found["a"]] == [t for t in everything if t not in own]

    def test_what_was_left_out_is_counted_and_the_rest_named_by_its_content(self, folder, tmp_path):
        corpus = read_corpus(folder, "aaa")
        taken = corpus.test[0].text
        one = conll(tmp_path / "one.conll", "Ada was here", taken)
        other = conll(tmp_path / "other.conll", "Ada was there")

        found = described(related_in(folder, [str(one), str(other)]), corpus)

        assert [each["texts"] for each in found.values()] == [1, 1]
        assert [each["also_in_the_corpus"] for each in found.values()] == [1, 0]
        assert len({each["digest"] for each in found.values()}) == 2

    def test_a_language_alone_has_nobody_to_help_it(self, folder):
        with pytest.raises(InputError, match="no other language to help aaa"):
            described(related_in(folder, ["aaa"]), read_corpus(folder, "aaa"))

    def test_own_texts_without_a_language_are_left_out_too(self, folder):
        """As in a user's own half-labelled file."""
        texts = [Example("1", one.text, ()) for one in read_corpus(folder, "bbb").train]

        found = sources_beside(related_in(folder, ["bbb"]), None, [one.text for one in texts])

        assert found == {"bbb": []}


ROUTES = st.lists(st.sampled_from(list(Route)), min_size=1, unique=True)


def plan(**changes):
    given_ = {
        "languages": ("aaa",),
        "strategies": ("default",),
        "routes": (Route.ALL_HUMAN,),
        "seeds": 2,
        "rounds": 1,
        "first": Amount(10, is_share=False),
        "step": Amount(10, is_share=False),
        "first_texts": FirstTexts.RANDOM,
        "tagger": TaggerSettings(),
        "human_share": 0.1,
        "paid_by": "sentence",
        "costs": Costs(),
        "annotator": {"aaa": {"kind": "gold"}, "bbb": {"kind": "gold"}},
        "auxiliary": {"aaa": {"bbb": {"digest": "1"}}, "bbb": {"aaa": {"digest": "2"}}},
    }
    return Plan(**(given_ | changes))


class TestBaselines:
    """They stand beside every combination of options."""

    @given(
        routes=ROUTES,
        strategies=st.lists(st.sampled_from(["default", "random", "longest", "bald"]), min_size=1),
        languages=st.sampled_from([("aaa",), ("aaa", "bbb")]),
        seeds=st.integers(1, 3),
        related=st.booleans(),
        paper=st.booleans(),
        first_texts=st.sampled_from(list(FirstTexts)),
        kind=st.sampled_from(["crf", "transformer"]),
        paid_by=st.sampled_from(["sentence", "token", "minute"]),
    )
    @settings(max_examples=200, deadline=None)
    def test_each_curve_has_random_full_data_and_human_only_beside_it(
        self, routes, strategies, related, kind, **options
    ):
        changes = {} if related else {"auxiliary": None}
        made = plan(
            routes=tuple(routes),
            strategies=tuple(strategies),
            tagger=TaggerSettings(kind=kind),
            **options,
            **changes,
        )

        cells = cells_of(made)

        assert len(set(cells)) == len(cells)
        by_chance = {cell for cell in cells if cell.strategy == RANDOM}
        full = {cell.language for cell in cells if cell.strategy == FULL}
        for cell in cells:
            assert cell.language in full
            if cell.strategy in {FULL, PAPER}:
                continue
            assert Cell(*_key(cell, RANDOM, Route.ALL_HUMAN)) in by_chance
            if cell.route in {Route.LLM_ONLY, Route.DEFAULT}:
                assert Cell(*_key(cell, cell.strategy, Route.HUMAN_ONLY)) in cells
            if cell.auxiliary:
                assert Cell(cell.language, cell.strategy, cell.route, cell.seed) in cells

    def test_the_whole_pool_is_trained_on_with_its_own_labels_only(self):
        assert {cell.auxiliary for cell in cells_of(plan()) if cell.is_full} == {False}

    def test_the_content_of_others_labels_names_a_result_and_their_place_does_not(self):
        one, other = (Cell("aaa", RANDOM, Route.ALL_HUMAN, 0, helped) for helped in (False, True))
        changed = plan(auxiliary={"aaa": {"bbb": {"digest": "3"}}})

        assert configuration(plan(), other, "d") != configuration(changed, other, "d")
        assert configuration(plan(), one, "d") == configuration(plan(auxiliary=None), one, "d")

    def test_what_shares_first_taggers_shares_labels(self):
        for unit in units_of(cells_of(plan())):
            assert len({(cell.language, cell.seed, cell.auxiliary) for cell in unit}) == 1


def _key(cell: Cell, strategy: str, route: Route):
    return cell.language, strategy, route, cell.seed, cell.auxiliary
