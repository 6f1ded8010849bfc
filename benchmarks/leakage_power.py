"""How often a planted leak is found, and how often one that is not there, by texts asked about.

A model knows a share of the data set's texts by heart; of all others, members and controls alike,
it gives back a few words, as fluent guesses do (Beta(1, 4), mean 0.2). It guesses the data set's
name for every second text of either kind. The other arm is what the paper did: ask about members
alone and count.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from backend.leakage.findings import FEWEST_WORDS, findings
from backend.leakage.findings import Probed as Text
from backend.quality.intervals import wilson
from backend.quality.leakage import Naming

REST = [f"w{number}" for number in range(20)]
SHARES = (0.0, 0.1, 0.5)


def answers(share: float, count: int, rng: np.random.Generator) -> list[Text]:
    known = rng.random(count) < share
    given = np.where(known, 1.0, rng.beta(1, 4, count))
    named = rng.random(count) < 0.5
    return [
        Text(
            " ".join(REST),
            Naming.FAMILY if name else Naming.NONE,
            " ".join(REST[: round(part * len(REST))]),
            "",
        )
        for part, name in zip(given, named, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--texts", type=int, nargs="*", default=[30, 50, 100])
    arguments = parser.parse_args()
    rates: dict[str, float] = {}
    runs = arguments.runs
    guessed = 0
    print(f"texts of each kind | share known by heart | called leaked in % of {runs} runs")
    for texts in arguments.texts:
        for share in SHARES:
            alarms = 0
            for seed in range(runs):
                rng = np.random.default_rng([seed, texts, round(100 * share)])
                members, controls = answers(share, texts, rng), answers(0, texts, rng)
                alarms += findings(members, controls, rng).is_leaked
                if share == 0 and texts == max(arguments.texts):
                    guessed += any(text.naming is not Naming.NONE for text in members)
            rate = wilson(alarms, runs)
            rates[f"{texts}/{share}"] = rate.value
            bounds = f"{100 * rate.low:.1f}-{100 * rate.high:.1f}"
            print(f"{texts:18} | {100 * share:20.0f} | {100 * rate.value:5.1f} ({bounds})")
    most = max(arguments.texts)
    false_alarms = max(rates[f"{most}/0.0"], 1 / runs)
    print(
        json.dumps(
            {
                "name": "leakage-power",
                "ratio": round(guessed / runs / false_alarms, 1),
                "ratio_means": "false alarms of counting names of members alone, over ours",
                "found": rates,
                "fewest_words": FEWEST_WORDS,
            }
        )
    )


if __name__ == "__main__":
    main()
