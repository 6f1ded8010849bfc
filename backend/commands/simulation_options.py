"""What the options of ``harambee simulate`` mean."""

from __future__ import annotations

from pathlib import Path

from backend.commands.live_annotators import LiveSource
from backend.errors import InputError
from backend.settings import Settings
from backend.simulation.annotators import (
    AnnotatorSource,
    GoldSource,
    NoisySource,
    RecordedSource,
)
from backend.simulation.corpus import check_languages, languages_in
from backend.simulation.plan import Route


def given(data: Path | None) -> Path:
    """The folder of texts; :class:`~backend.errors.InputError` where none was given."""
    if data is None:
        raise InputError("Which texts? Give a folder of CoNLL files with --data.")
    return data


def languages_of(folder: Path, languages: str | None) -> tuple[str, ...]:
    """The languages that are named, or all that a folder holds; all are there."""
    chosen = names_in(languages) if languages else tuple(languages_in(folder))
    check_languages(folder, chosen)
    if not chosen:
        raise InputError(f"There is no language in {folder}; see --help for --data.")
    return chosen


def with_tagger(settings: Settings, tagger: str | None) -> Settings:
    """The settings with another kind of tagger, and without labels of other languages.

    These are passed on by themselves (:func:`auxiliary_in`), because a simulation chooses them by
    its folder of texts.
    """
    kind = {} if tagger is None else {"kind": one_of(tagger, ("crf", "transformer"), "tagger")}
    changed = settings.tagger.model_copy(update={**kind, "auxiliary": ()})
    return settings.model_copy(update={"tagger": changed})


def auxiliary_in(written: str | None, settings: Settings) -> list[str]:
    """Labels of other languages, as written or else as configured."""
    if written is None:
        return [str(path) for path in settings.tagger.auxiliary]
    return list(names_in(written))


def names_in(written: str) -> tuple[str, ...]:
    """Names parted by commas, each once."""
    names = dict.fromkeys(name.strip() for name in written.split(","))
    return tuple(name for name in names if name)


def one_of(value: str, known: tuple[str, ...], option: str) -> str:
    """The value, where it is one of those known to the option."""
    if value not in known:
        raise InputError(f"--{option} is {' or '.join(known)}, not {value!r}.")
    return value


def routes_in(written: str | None, *, with_llm: bool) -> tuple[Route, ...]:
    """Routes by their names; by default every one that can be played."""
    if written is None:
        return tuple(Route) if with_llm else (Route.ALL_HUMAN,)
    names = [one_of(name, tuple(Route), "routes") for name in names_in(written)]
    routes = tuple(Route(name) for name in names)
    needy = [route.value for route in routes if route in {Route.LLM_ONLY, Route.DEFAULT}]
    if needy and not with_llm:
        raise InputError(f"The routes {', '.join(needy)} need an LLM: say which with --llm.")
    return routes


def source_of(
    llm: str, recordings: Path | None, languages: tuple[str, ...], settings: Settings
) -> AnnotatorSource | None:
    """Who labels beside humans, ``None`` for nobody."""
    kind, _, name = llm.partition(":")
    if llm == "none":
        return None
    if llm == "gold":
        return GoldSource()
    if llm == "live":
        return LiveSource(settings)
    if kind == "noisy" and name.endswith(".json"):
        return NoisySource.of_file(Path(name))
    if kind not in {"noisy", "recorded"} or not name:
        raise InputError(
            f"--llm {llm!r} is nobody. Say none, gold, recorded:MODEL, noisy:MODEL, "
            "noisy:FILE.json or live."
        )
    if recordings is None:
        raise InputError(f"--llm {llm} needs the recordings: give their folder with --recordings.")
    if kind == "recorded":
        return RecordedSource(recordings, name)
    return NoisySource.of_recordings(recordings, name, languages)
