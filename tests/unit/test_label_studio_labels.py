"""Label Studio's labelling config as a label scheme."""

import pytest

from backend.errors import LabelConfigError
from backend.label_studio.labels import MAX_CONFIG_CHARACTERS, parse_label_config


def view(content):
    return f"<View>{content}</View>"


TEXT = '<Text name="text" value="$text"/>'


def labels(*names, control="label", text="text"):
    inner = "".join(f'<Label value="{name}"/>' for name in names)
    return f'<Labels name="{control}" toName="{text}">{inner}</Labels>'


def test_labels_keep_the_order_of_the_config():
    assert parse_label_config(view(labels("PER", "LOC", "ORG") + TEXT)).scheme.labels == (
        "PER",
        "LOC",
        "ORG",
    )


def test_the_text_key_comes_from_the_text_element():
    config = parse_label_config(view(labels("PER") + '<Text name="text" value="$sentence"/>'))
    assert (config.text_key, config.text_name, config.is_hypertext) == ("sentence", "text", False)


def test_a_hint_describes_its_label():
    xml = view(f'<Labels name="l" toName="text"><Label value="PER" hint="people"/></Labels>{TEXT}')
    assert parse_label_config(xml).scheme.descriptions == {"PER": "people"}


ALIASED = view(f'<Labels name="l" toName="text"><Label value="Person" alias="PER"/></Labels>{TEXT}')


def test_an_alias_is_what_regions_carry_and_the_shown_name_describes_it():
    config = parse_label_config(ALIASED)
    assert config.scheme.labels == ("PER",)
    assert config.scheme.descriptions == {"PER": "Person"}
    assert config.place("PER")[1] == "PER"


def test_a_region_from_before_the_alias_is_understood():
    assert parse_label_config(ALIASED).name("l", "Person") == "PER"


def test_an_empty_alias_counts_as_none():
    xml = view(f'<Labels name="l" toName="text"><Label value="PER" alias=""/></Labels>{TEXT}')
    assert parse_label_config(xml).scheme.labels == ("PER",)


def test_several_controls_over_one_text_make_one_scheme():
    xml = view(labels("PER", control="people") + labels("LOC", control="places") + TEXT)
    config = parse_label_config(xml)
    assert config.scheme.labels == ("PER", "LOC")
    assert [config.place(label)[0].name for label in config.scheme.labels] == ["people", "places"]


def test_a_label_of_two_controls_is_qualified_and_found_again():
    xml = view(labels("X", "PER", control="a") + labels("X", control="b") + TEXT)
    config = parse_label_config(xml)
    assert config.scheme.labels == ("a:X", "PER", "b:X")
    assert config.place("b:X")[0].name == "b"
    assert config.name("b", "X") == "b:X"


def test_labels_inside_layout_elements_count():
    xml = view(f'<Labels name="l" toName="text"><View><Label value="PER"/></View></Labels>{TEXT}')
    assert parse_label_config(xml).scheme.labels == ("PER",)


def test_a_label_that_is_written_twice_counts_once():
    assert parse_label_config(view(labels("PER", "PER") + TEXT)).scheme.labels == ("PER",)


@pytest.mark.parametrize("tag", ["Labels", "HyperTextLabels"])
def test_a_hypertext_has_its_own_region_type(tag):
    xml = view(
        f'<{tag} name="l" toName="h"><Label value="PER"/></{tag}><HyperText name="h" value="$h"/>'
    )
    config = parse_label_config(xml)
    assert (config.is_hypertext, config.controls[0].region_type) == (True, tag.lower())


def test_other_controls_are_left_alone():
    other = (
        '<Image name="img" value="$img"/>'
        '<Labels name="i" toName="img"><Label value="CAT"/></Labels>'
        '<Choices name="c" toName="text"><Choice value="yes"/></Choices>'
    )
    assert parse_label_config(view(labels("PER") + TEXT + other)).scheme.labels == ("PER",)


def test_a_label_that_is_gone_names_those_that_are_left():
    with pytest.raises(LabelConfigError, match=r"'MISC' is not in.*PER, LOC"):
        parse_label_config(view(labels("PER", "LOC") + TEXT)).place("MISC")


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ("", "not well-formed"),
        ("<View>", "not well-formed"),
        ("\ud800", "not well-formed"),
        ("<View/>", "no <Labels> control"),
        (view(TEXT), "no <Labels> control"),
        (view(labels() + TEXT), "no <Labels> control"),
        (view(labels("PER", text="missing") + TEXT), "no <Labels> control"),
        (view(labels("PER") + '<Text name="text" value="fixed"/>'), "no <Labels> control"),
        (
            view(labels("PER") + labels("LOC", control="b", text="t2") + TEXT).replace(
                TEXT, TEXT + '<Text name="t2" value="$t2"/>'
            ),
            "several texts",
        ),
        (view(labels("PER") + '<Text name="text" value="$t" valueType="url"/>'), "addresses"),
        (view(labels("PER") + '<Text name="text" value="$t" encoding="base64"/>'), "encoded"),
        ("x" * (MAX_CONFIG_CHARACTERS + 1), "characters long"),
    ],
)
def test_a_config_that_cannot_be_used_says_why(xml, reason):
    with pytest.raises(LabelConfigError, match=reason):
        parse_label_config(xml)


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE View>",
        '<!DOCTYPE View [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE View [<!ENTITY file SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE View SYSTEM "http://127.0.0.1:1/evil.dtd">',
    ],
)
def test_dtds_and_entities_are_refused(doctype):
    with pytest.raises(LabelConfigError, match="DTD or an entity"):
        parse_label_config(doctype + view(labels("PER") + TEXT))
