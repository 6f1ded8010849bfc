"""Labels that random queries need for what the default strategy reaches at round 2.

CI size: one language, two seeds (under 5 minutes). ``FULL=1``: five languages, five seeds and five
rounds, the command of ``docs/simulation.md``. Without ``HARAMBEE_DATA`` the corpus is made of the
shipped sample, and the figure says little. The ratio is that of labels on mean curves, random over
default; where random does not get there in the rounds played, it is a lower bound and says so.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from backend.active_learning.strategies import resolve
from backend.commands.simulate import cores
from backend.samples import sample_texts
from backend.settings import TaggerSettings
from backend.simulation.curves import Kind, Outcomes
from backend.simulation.plan import RANDOM, Amount, Costs, FirstTexts, Plan, Route
from backend.simulation.running import Experiment, run
from backend.text.conll import from_text, write_conll

FULL = os.environ.get("FULL") == "1"
ROUND = 2
SHARE = Amount(0.05, is_share=True)


def sample_corpus(folder: Path) -> Path:
    """The shipped sample as a corpus, all languages mixed."""
    sentences = [from_text(example.text, example.spans) for _, example in sample_texts()]
    (folder / "sample").mkdir()
    write_conll(folder / "sample" / "test.txt", sentences[::3])
    others = [sentence for at, sentence in enumerate(sentences) if at % 3]
    write_conll(folder / "sample" / "train.txt", others)
    return folder


def plan_for(languages: tuple[str, ...], share: Amount) -> Plan:
    """Default and random queries, humans labelling everything."""
    return Plan(
        languages=languages,
        strategies=("default", "mean-entropy") if FULL else ("default",),
        routes=(Route.ALL_HUMAN,),
        seeds=5 if FULL else 2,
        rounds=5,
        first=share,
        step=share,
        first_texts=FirstTexts.RANDOM,
        tagger=TaggerSettings(),
        human_share=0.1,
        paid_by="sentence",
        costs=Costs(),
    )


def main() -> None:
    """Play, print the curves, then one line of JSON."""
    with tempfile.TemporaryDirectory() as folder:
        data = os.environ.get("HARAMBEE_DATA")
        place = Path(data) / "masakhaner2" if data else sample_corpus(Path(folder))
        languages = ("zul", "bam", "tsn", "yor", "pcm") if FULL else ("bam",)
        share = SHARE if data else Amount(0.15, is_share=True)
        plan = plan_for(languages if data else ("sample",), share)
        outcomes = Outcomes(run(Experiment(plan, place, None, Path(folder) / "out"), cores()))
    print_and_report(outcomes, Kind(resolve("default", "sentence")))


def print_and_report(outcomes: Outcomes, default: Kind) -> None:
    """The mean curves, and how many labels random queries need."""
    where, random = outcomes.places[-1], Kind(RANDOM)
    for kind in outcomes.kinds:
        points = outcomes.curve(where, kind)
        print(f"{kind.name:14}", *(f"{100 * point.f1.value:6.1f}" for point in points))
    reached = outcomes.curve(where, default)[ROUND]
    needed = outcomes.texts_to_reach(where, random, reached.f1.value)
    bound = outcomes.curve(where, random)[-1].texts
    lead = outcomes.difference(where, default, random, ROUND)
    print(
        json.dumps(
            {
                "name": "simulation",
                "ratio": round((needed or bound) / reached.texts, 4),
                "at_least": needed is None,
                "unit": "labels",
                "languages": outcomes.languages,
                "seeds": outcomes.seeds,
                "f1_at_round_2": reached.f1.as_json(),
                "less_random": lead.as_json() if lead else None,
                "below_full_data_at_last_round": outcomes.gap_to_full(where, default).as_json(),
            }
        )
    )


if __name__ == "__main__":
    main()
