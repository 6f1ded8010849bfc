import pytest

from backend.domain import LabelScheme
from backend.text.labels import canonical_label, read_tag

SCHEME = LabelScheme(("PER", "LOC", "ORG", "DATE"))


@pytest.mark.parametrize(
    "written", ["LOC", "loc", " Loc ", "B-LOC", "i-loc", "B_Loc", "Location", "lieu", "B-mahali"]
)
def test_a_label_is_known_in_any_form(written):
    assert canonical_label(written, SCHEME) == "LOC"


def test_a_scheme_with_long_names_knows_the_short_ones():
    assert canonical_label("PER", LabelScheme(("Person", "Place"))) == "Person"


@pytest.mark.parametrize("written", ["CITY", "", "B-", "LOCS", "PER LOC"])
def test_any_other_label_is_unknown(written):
    assert canonical_label(written, SCHEME) is None


def test_a_label_that_could_mean_two_is_unknown():
    assert canonical_label("person", LabelScheme(("PER", "PERS"))) is None


def test_a_configured_label_is_itself_whatever_else_its_name_means():
    scheme = LabelScheme(("data", "date", "B-cell"))
    assert [canonical_label(label, scheme) for label in scheme.labels] == list(scheme.labels)


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("O", "O"),
        ("o", "O"),
        ("Outside", "O"),
        ("B-PER", "B-PER"),
        ("I-PER", "I-PER"),
        ("b-per", "B-PER"),
        ("S-PER", "B-PER"),
        ("U-PER", "B-PER"),
        ("E-PER", "I-PER"),
        ("L-PER", "I-PER"),
        ("PER", "I-PER"),
        ("B-DATE, I-DATE", "B-DATE"),
        ("B-LOC, B-COUNTRY", "B-LOC"),
        ("B-LOC/B-ORG", None),
        ("MISC", None),
        ("V-PER", None),
        ("", None),
    ],
)
def test_a_tag_is_read_in_any_form(written, tag):
    assert read_tag(written, SCHEME) == tag
