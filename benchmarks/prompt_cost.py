"""What a sentence costs with the default prompt and with the paper's (``NAME=prompt-cost``).

Both arms pay the same prices for the same 50 sentences a language, and get the same answer, the
recorded one, each in its own format; so only the prompts differ. Ours also pays for the schema of
the answer, which a provider may put in front of the question; the paper's asked for JSON without
one. What is asked again, because an answer was of no use, counts for neither.

Tokens are counted with cl100k, which comes inside the package splintr-rs, as tiktoken would have
to download it. The paper's prompt, examples and recordings are read from ``HARAMBEE_DATA``;
nothing of them is copied.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import statistics
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from harness import Arm, compare, report
from matplotlib import colormaps
from matplotlib.figure import Figure
from splintr import Tokenizer

from backend.domain import Example, LabelScheme, Span, Task
from backend.llm.demonstrations import (
    Demonstrations,
    NearestDemonstrations,
    NoDemonstrations,
    StaticDemonstrations,
)
from backend.llm.grouping import grouped
from backend.llm.guidelines import find_guidelines
from backend.llm.paper_prompt import PaperPrompt
from backend.llm.prompt import Brief, Prompt
from backend.llm.readings import token_offsets
from backend.settings import LlmSettings
from backend.testing.scripted_prompts import read_prompt
from backend.text.bio import from_bio
from backend.text.conll import read_conll, to_text
from backend.text.spans import Mention

CL100K_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
"""Of the vocabulary's file, as tiktoken checks it."""

INPUT_USD, OUTPUT_USD = 10e-6, 30e-6
"""GPT-4-Turbo's price of a token, for both arms."""

CACHED_SHARE = 0.1
CACHED_FROM = 1024
"""What a cached input token costs of the full price, and how long a prefix must be to be cached."""

BATCH_SHARE = 0.5

MESSAGE_TOKENS = 4
"""What the chat format adds to each of the two messages."""

SCHEME = LabelScheme(
    ("PER", "ORG", "LOC", "DATE"),
    {
        "PER": "people by name",
        "ORG": "organisations by name",
        "LOC": "places by name",
        "DATE": "dates and parts of dates",
    },
)
GUIDELINES = "per-org-loc-date-v1"
GROUPS = (1, 2, 5, 10, 20)
EXAMPLES = 4
LABELLED = 500
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "prompt-cost.png"


@dataclass(frozen=True)
class Sentence:
    """A sentence of the sample with its recorded answer."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.tokens)

    @property
    def mentions(self) -> list[Mention]:
        """The answer's spans; an occurrence is how often the words have stood there so far."""
        spans: Sequence[Span] = from_bio(token_offsets(self.text), self.tags)
        words = [self.text[span.start : span.end] for span in spans]
        return [
            Mention(word, span.label, words[: at + 1].count(word), 0.9)
            for at, (word, span) in enumerate(zip(words, spans, strict=True))
        ]


@dataclass(frozen=True)
class Cost:
    """US dollars a sentence: ``usd`` in full, ``cached`` where the provider caches prefixes."""

    usd: float
    cached: float
    input_tokens: float
    output_tokens: float


class Counter:
    """Counts tokens of cl100k, and makes sure that it is cl100k."""

    def __init__(self) -> None:
        self._tokenizer = Tokenizer.from_pretrained("cl100k_base")
        lines = (
            b64encode(bytes(self._tokenizer.decode_bytes([rank]))) + b" %d\n" % rank
            for rank in range(100_256)
        )
        if hashlib.sha256(b"".join(lines)).hexdigest() != CL100K_SHA256:
            sys.exit("The vocabulary in splintr-rs is not cl100k_base. Install another version.")

    def __call__(self, text: str) -> int:
        return len(self._tokenizer.encode_ordinary(text))


@dataclass(frozen=True)
class Way:
    """A way of asking: the prompt, how many sentences a call, and what examples go with them."""

    prompt: Prompt
    together: int
    choose: Callable[[Sequence[Example]], Demonstrations] = lambda _: NoDemonstrations()


def cost_of(
    way: Way, sentences: Sequence[Sentence], language: str, labelled: Sequence[Example]
) -> Cost:
    """What the sample costs, by the sentence."""
    prompt, guidelines = way.prompt, find_guidelines(GUIDELINES)
    examples = way.choose(labelled)
    known = {sentence.text: sentence for sentence in sentences}
    tasks = [Task(str(at), sentence.text, language) for at, sentence in enumerate(sentences)]
    usd = cached = 0.0
    tokens_in = tokens_out = 0
    before = ""
    for group in grouped(tasks, min(way.together, prompt.most_texts)):
        shown = examples.examples_for(group[0].text)
        asked = prompt.question(group, Brief(SCHEME, guidelines, shown, examples.fixed))
        whole = f"{asked.system}\n{asked.user}"
        answer = answer_to(whole, known)
        schema = 0 if isinstance(prompt, PaperPrompt) else COUNT(json.dumps(asked.schema))
        read = COUNT(asked.system) + COUNT(asked.user) + schema + 2 * MESSAGE_TOKENS
        written = COUNT(answer)
        shared = COUNT(common_beginning(whole, before))
        saved = shared * (1 - CACHED_SHARE) if shared >= CACHED_FROM else 0.0
        usd += read * INPUT_USD + written * OUTPUT_USD
        cached += (read - saved) * INPUT_USD + written * OUTPUT_USD
        tokens_in, tokens_out, before = tokens_in + read, tokens_out + written, whole
    count = len(sentences)
    return Cost(usd / count, cached / count, tokens_in / count, tokens_out / count)


def common_beginning(one: str, other: str) -> str:
    """What a provider's cache can hold of a question after another one."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return "".join(sign for sign, _ in same)


def answer_to(asked: str, known: dict[str, Sentence]) -> str:
    """The recorded annotations in the format that the prompt asks for."""
    reading = read_prompt(asked)
    if reading is None:
        sys.exit("The scripted model does not understand this prompt.")
    return reading.write([known[text].mentions for text in reading.texts])


def samples(folder: Path) -> Iterator[tuple[str, list[Sentence]]]:
    """Languages and their sentences."""
    for path in sorted((folder / "llm_responses" / "gpt-4-turbo").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield path.name.partition(".")[0], [sentence(json.loads(line)) for line in lines]


def accepted_labels(folder: Path, language: str, sample: Sequence[Sentence]) -> list[Example]:
    """Labels that a team may have by then: the first of the training part, without the sample."""
    asked = {sentence.text for sentence in sample}
    corpus = islice(read_conll(folder / "masakhaner2" / language / "train.txt.gz"), LABELLED)
    texts = map(to_text, corpus)
    return [Example("", text, spans) for text, spans in texts if text not in asked]


def sentence(record: dict[str, Any]) -> Sentence:
    """A record's sentence with its first answer that labels every token, or with gold labels."""
    tokens = [token for token in record["tokens"] if token]
    tags = [tag for token, tag in zip(record["tokens"], record["gold"], strict=True) if token]
    for answer in record["responses"]:
        pairs = [item for item in answer if isinstance(item, list) and len(item) == 2]
        if len(pairs) == len(tokens) and all(is_tag(tag) for _, tag in pairs):
            return Sentence(tuple(tokens), tuple(tag for _, tag in pairs))
    return Sentence(tuple(tokens), tuple(tags))


def is_tag(value: object) -> bool:
    return value == "O" or (isinstance(value, str) and value[2:] in SCHEME)


def draw(costs: dict[str, dict[str, Cost]], chosen: str) -> None:
    """A bar per prompt and language, cents a sentence; the default is marked."""
    arms = list(next(iter(costs.values())))
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(arms)
    colours = colormaps["cividis"].resampled(len(arms))
    for at, arm in enumerate(arms):
        cents = [100 * by_arm[arm].usd for by_arm in costs.values()]
        places = [index + (at - (len(arms) - 1) / 2) * width for index in range(len(costs))]
        name = f"{arm} (default)" if arm == chosen else arm
        bars = axes.bar(places, cents, width * 0.92, label=name, color=colours(at))
        axes.bar_label(bars, fmt="%.2f", fontsize=7, padding=1)
    axes.set_xticks(range(len(costs)), list(costs))
    axes.set_ylabel("US cents a sentence")
    axes.set_title(
        "One sentence at GPT-4-Turbo's prices (10 / 30 US dollars a million tokens)", fontsize=10
    )
    axes.legend(fontsize=8, frameon=False, ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=130, metadata={"Software": None})


def main() -> None:
    folder = Path(os.environ.get("HARAMBEE_DATA", ""))
    if not (folder / "prompts").is_dir():
        print(json.dumps({"name": "prompt-cost", "skipped": "HARAMBEE_DATA is not set"}))
        return
    templates = folder / "prompts" / "templates.json"
    default = LlmSettings()
    prompt = Prompt(default.prompt)
    ways = {
        "paper, one sentence": Way(PaperPrompt("paper-single", templates), 1),
        "paper, two sentences": Way(PaperPrompt("paper-batch2", templates), 2),
    }
    ways |= {f"{prompt.name}, {size} a call": Way(prompt, size) for size in GROUPS}
    with_examples = {
        f"10 a call, {EXAMPLES} examples": Way(
            prompt, 10, lambda labelled: StaticDemonstrations(labelled, EXAMPLES)
        ),
        f"1 a call, {EXAMPLES} nearest": Way(
            prompt, 1, lambda labelled: NearestDemonstrations(labelled, EXAMPLES)
        ),
    }
    costs: dict[str, dict[str, Cost]] = {}
    for language, sentences in samples(folder):
        labelled = accepted_labels(folder, language, sentences)
        costs[language] = {
            arm: cost_of(way, sentences, language, labelled)
            for arm, way in (ways | with_examples).items()
        }
    chosen = f"{default.prompt}, {default.sentences_per_call} a call"
    print(f"{'':6}{'prompt':28}{'in':>8}{'out':>8}{'USD':>10}{'cached':>10}{'batch API':>11}")
    for language, by_arm in costs.items():
        for arm, cost in by_arm.items():
            print(
                f"{language:6}{arm:28}{cost.input_tokens:8.0f}{cost.output_tokens:8.0f}"
                f"{cost.usd:10.5f}{cost.cached:10.5f}{cost.usd * BATCH_SHARE:11.5f}"
            )
    draw({name: {arm: by_arm[arm] for arm in ways} for name, by_arm in costs.items()}, chosen)

    def mean(arm: str, price: str = "usd") -> float:
        return statistics.fmean(getattr(by_arm[arm], price) for by_arm in costs.values())

    paper = "paper, one sentence"
    ratios = {
        language: round(by_arm[paper].usd / by_arm[chosen].usd, 2)
        for language, by_arm in costs.items()
    }
    report(
        compare(
            "prompt-cost",
            baseline=Arm(paper, lambda: mean(paper)),
            candidate=Arm(chosen, lambda: mean(chosen)),
            repeats=1,
            unit="USD a sentence",
        ),
        by_language=ratios,
        least=min(ratios.values()),
        with_caching=round(mean(paper, "cached") / mean(chosen, "cached"), 2),
        batch_api_usd=round(mean(chosen) * BATCH_SHARE, 6),
        with_examples={arm: round(mean(arm), 6) for arm in with_examples},
        by_group={size: round(mean(f"{default.prompt}, {size} a call"), 6) for size in GROUPS},
    )


COUNT = Counter()

if __name__ == "__main__":
    main()
