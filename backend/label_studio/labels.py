"""Label Studio's labelling config (XML) as a label scheme, and the way back.

The config comes from outside: DTDs and entities are refused, its size is bounded. What counts are
``<Labels>`` controls over one ``<Text>``, or ``<HyperTextLabels>``/``<Labels>`` over one
``<HyperText>``; everything else in the config (choices, headers, images) is left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from backend.domain import LabelScheme
from backend.errors import LabelConfigError

MAX_CONFIG_CHARACTERS = 1_000_000
CONTROL_TAGS = frozenset({"labels", "hypertextlabels"})
TEXT_TAGS = frozenset({"text", "hypertext"})
EXAMPLE = (
    'For named entities it needs, for example: <View><Labels name="label" toName="text">'
    '<Label value="PER"/></Labels><Text name="text" value="$text"/></View>'
)


@dataclass(frozen=True, slots=True)
class Control:
    """One ``<Labels>`` element. ``region_type`` is both a region's type and its label key."""

    name: str
    region_type: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """The part of a labelling config that harambee works with.

    ``text_key`` is the key of the text in a task's data, ``text_name`` the name that regions refer
    to. Labels of the ``scheme`` are what regions carry (the alias, where a label has one); a label
    that two controls share is qualified as ``control:label``, so that each scheme label belongs to
    exactly one control.
    """

    text_key: str
    text_name: str
    is_hypertext: bool
    controls: tuple[Control, ...]
    scheme: LabelScheme
    places: Mapping[str, tuple[Control, str]]
    names: Mapping[tuple[str, str], str]

    def place(self, label: str) -> tuple[Control, str]:
        """The control of a scheme label, and the label as its regions carry it.

        Raises :class:`~backend.errors.LabelConfigError` for a label that is not in the scheme.
        """
        try:
            return self.places[label]
        except KeyError:
            known = ", ".join(self.scheme.labels)
            raise LabelConfigError(
                f"The label {label!r} is not in the project's labelling config ({known}). It was "
                "probably removed there; suggestions with it cannot be shown."
            ) from None

    def name(self, control: str, region_label: str) -> str | None:
        """The scheme label of a region's label, ``None`` where the config does not know it."""
        return self.names.get((control, region_label))


@dataclass(frozen=True, slots=True)
class ParsedLabel:
    """One ``<Label>``: what it shows, what its regions carry, what it means."""

    control: str
    shown: str
    carried: str
    hint: str | None


def parse_label_config(xml: str) -> LabelConfig:
    """Read a project's labelling config.

    Raises :class:`~backend.errors.LabelConfigError` saying what the config lacks.
    """
    root = parse_xml(xml)
    texts = {name: element for element in root.iter() if (name := text_name(element))}
    found = [element for element in root.iter() if usable_control(element, texts)]
    if not found:
        raise LabelConfigError(
            "The labelling config has no <Labels> control with <Label> children over a <Text> or "
            f"<HyperText>. {EXAMPLE}"
        )
    over = sorted({target(element, texts) for element in found})
    if len(over) > 1:
        raise LabelConfigError(
            f"The labelling config has label controls over several texts ({', '.join(over)}), and "
            "one suggestion speaks about one text. Use one <Text> per project."
        )
    text = texts[over[0]]
    parsed = [label for element in found for label in labels_of(element)]
    names = scheme_names(parsed)
    controls = {
        element.get("name", ""): Control(
            element.get("name", ""),
            element.tag.lower(),
            tuple(dict.fromkeys(label.carried for label in labels_of(element))),
        )
        for element in found
    }
    return LabelConfig(
        text_key=text_key(text),
        text_name=over[0],
        is_hypertext=text.tag.lower() == "hypertext",
        controls=tuple(controls.values()),
        scheme=scheme(parsed, names),
        places=MappingProxyType(
            {
                names[label.control, label.carried]: (controls[label.control], label.carried)
                for label in parsed
            }
        ),
        names=MappingProxyType(names | shown_names(parsed, names)),
    )


def parse_xml(xml: str) -> Element:
    """The root element of untrusted XML."""
    if len(xml) > MAX_CONFIG_CHARACTERS:
        raise LabelConfigError(
            f"The labelling config is {len(xml):,} characters long; more than "
            f"{MAX_CONFIG_CHARACTERS:,} are not read."
        )
    try:
        root: Element = fromstring(xml, forbid_dtd=True)
    except DefusedXmlException as error:
        raise LabelConfigError(
            "The labelling config declares a DTD or an entity, which is refused because such "
            "files can read other files or exhaust memory. Remove the <!DOCTYPE ...> part."
        ) from error
    except (ParseError, ValueError) as error:
        raise LabelConfigError(
            f"The labelling config is not well-formed XML: {error}. {EXAMPLE}"
        ) from error
    return root


def text_name(element: Element) -> str | None:
    """The name of a text element that takes its content from the task's data."""
    is_text = element.tag.lower() in TEXT_TAGS
    if not is_text or not element.get("value", "").startswith("$"):
        return None
    return element.get("name")


def text_key(element: Element) -> str:
    """The data key of a text element, whose content must be the text itself."""
    if element.get("valueType", "text").lower() == "url":
        raise LabelConfigError(
            f'The text {element.get("name")!r} has valueType="url": its tasks hold addresses, '
            "which harambee does not fetch. Import the texts themselves."
        )
    if element.get("encoding", "none").lower() != "none":
        raise LabelConfigError(
            f"The text {element.get('name')!r} is encoded ({element.get('encoding')}). Import the "
            "texts as plain Unicode."
        )
    return element.get("value", "").removeprefix("$")


def target(element: Element, texts: Mapping[str, Element]) -> str:
    """The text a control labels, or nothing."""
    names = (name.strip() for name in element.get("toName", "").split(","))
    return next((name for name in names if name in texts), "")


def usable_control(element: Element, texts: Mapping[str, Element]) -> bool:
    """Whether an element is a label control over a text, with labels written in the config."""
    return (
        element.tag.lower() in CONTROL_TAGS
        and bool(element.get("name"))
        and bool(target(element, texts))
        and any(True for _ in labels_of(element))
    )


def labels_of(control: Element) -> Iterator[ParsedLabel]:
    """The labels of a control, nested layout elements included."""
    for element in control.iter():
        shown = element.get("value")
        if element.tag.lower() == "label" and shown:
            carried = element.get("alias") or shown
            yield ParsedLabel(control.get("name", ""), shown, carried, element.get("hint"))


def scheme_names(labels: list[ParsedLabel]) -> dict[tuple[str, str], str]:
    """The scheme's name of each label by control and carried label."""
    places = list(dict.fromkeys((label.control, label.carried) for label in labels))
    uses = Counter(carried for _, carried in places)
    return {
        (control, carried): carried if uses[carried] == 1 else f"{control}:{carried}"
        for control, carried in places
    }


def shown_names(
    labels: list[ParsedLabel], names: Mapping[tuple[str, str], str]
) -> dict[tuple[str, str], str]:
    """Regions from before a label had its alias carry what was shown: these are known too."""
    return {
        (label.control, label.shown): names[label.control, label.carried]
        for label in labels
        if (label.control, label.shown) not in names
    }


def scheme(labels: list[ParsedLabel], names: Mapping[tuple[str, str], str]) -> LabelScheme:
    """The scheme, described by hints, or by what is shown where regions carry an alias."""
    descriptions = {
        names[label.control, label.carried]: label.hint or label.shown
        for label in labels
        if label.hint or label.shown != label.carried
    }
    return LabelScheme(tuple(dict.fromkeys(names.values())), MappingProxyType(descriptions))
