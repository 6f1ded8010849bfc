"""Learning curves of simulations, as they stand in their results."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backend.cost.savings import HUMANS, Curves, Point
from backend.cost.uncertainty import Measured, seed_heights
from backend.errors import InputError
from backend.protocols import FloatArray

MEAN = "mean"


def read_curves(
    path: Path, language: str | None, strategy: str | None, rng: np.random.Generator
) -> Measured:
    """The curves of one language in a simulation's ``results.json``.

    ``language``: ``mean`` by default, or the only one; ``strategy``: the first that has a curve of
    several routes. Several seeds say how sure they are. Raises
    :class:`~backend.errors.InputError` for a file without such curves.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        listed = found["curves"]
        languages = list(dict.fromkeys(each["language"] for each in listed))
        place = language or (MEAN if MEAN in languages else languages[0])
        here = [each for each in listed if each["language"] == place]
        strategies = list(dict.fromkeys(each["strategy"] for each in here))
        most = max(strategies, key=lambda s: sum(each["strategy"] == s for each in here))
        chosen = strategy or most
        curves = {
            each["route"]: [
                Point(it["texts"], it["human_texts"], it["round"] + 1, it["f1"]["value"])
                for it in each["points"]
            ]
            for each in here
            if each["strategy"] == chosen
        }
        spoken = [name for name in languages if name != MEAN] if place == MEAN else [place]
        by_seed = _by_seed(found.get("runs", ()), spoken, chosen, curves)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"{path} holds no learning curves ({type(error).__name__}: {error}). Give the "
            "results.json of harambee simulate."
        ) from error
    if HUMANS not in curves:
        known = ", ".join(f"{each['language']}/{each['strategy']}" for each in listed)
        raise InputError(
            f"{path} has no curve of humans alone for {place}/{chosen}. There are: {known}."
        )
    heights = seed_heights(by_seed, rng)
    seeds = len(by_seed.get(HUMANS, ()))
    how = f"95% intervals over {seeds} seeds" if heights else ""
    return Measured(f"{place}, {chosen}", curves, heights, how)


def _by_seed(
    runs: Sequence[Mapping[str, Any]], languages: Sequence[str], strategy: str, curves: Curves
) -> dict[str, FloatArray]:
    """(n_seeds, n_points) F1 of each route, the mean over languages; empty without all of them."""
    found: dict[str, dict[int, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        if run["language"] in languages and run["strategy"] == strategy and run["route"] in curves:
            points = len(curves[run["route"]])
            scores = [each["scores"]["f1"] for each in run["rounds"][:points]]
            found[run["route"]][run["seed"]].append(scores)
    seeds = set.intersection(*(set(by_seed) for by_seed in found.values())) if found else set()
    if set(found) != set(curves) or any(
        len(by_seed[seed]) != len(languages) for by_seed in found.values() for seed in seeds
    ):
        return {}
    return {
        route: np.array([np.mean(by_seed[seed], axis=0) for seed in sorted(seeds)])
        for route, by_seed in found.items()
    }
