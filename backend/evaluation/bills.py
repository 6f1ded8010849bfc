"""What recorded answers cost: as billed where the recording says so, else estimated.

An estimate counts the tokens of the question that the paper's prompt asks and of the answer as it
was given. Tokens are those of cl100k where the package ``splintr-rs`` is installed, which holds
it; else bytes are divided by what its tokens have on average in such texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from backend.cost.prices import Price, cost, price_of
from backend.domain import LabelScheme, Task, Usage
from backend.errors import InputError, ProviderError
from backend.evaluation.cells import Bill
from backend.llm.paper_prompt import PaperPrompt
from backend.llm.prompt import Brief, Prompt
from backend.llm.recordings import Record, Recording

SINGLE, IN_TWOS = "paper-single", "paper-batch2"
BYTES_PER_TOKEN = 2.6
"""Of cl100k, over questions and answers in the MasakhaNER languages."""

_VARIANT = re.compile(r"\.batch\d+$")

Prices = Mapping[str, tuple[float, float]]
"""US dollars per million tokens of input and output, by model."""


def bill_of(
    recording: Recording,
    scheme: LabelScheme,
    prices: Prices | None = None,
    templates: Path | None = None,
) -> Bill:
    """The bill for every answer that was asked for, those that came to nothing included.

    A folder named ``model.batch2`` was asked about two texts at once. ``templates``: the paper's
    own words (see :mod:`backend.llm.paper_prompt`).
    """
    asked = recording.repetitions * len(recording.records)
    price = _price(recording.model, prices or {})
    if all(record.usage or not record.answers for record in recording.records):
        usages = [usage for record in recording.records for usage in record.usage]
        total = _sum(usages)
        basis = "billed tokens of the recording"
    else:
        questions = Questions(_prompt(recording.model, templates), recording.language, scheme)
        total = _estimate(recording, questions)
        basis = f"tokens of {questions.version} and the answers, {counter()[1]}"
    usd = None if price is None else cost(price, Usage(total.input, total.output))
    source = "no price known" if price is None else f"price: {price.source}"
    estimated = not basis.startswith("billed")
    return Bill(asked, total.input, total.output, usd, estimated, f"{basis}; {source}")


class Questions:
    """How long the question about a text is."""

    def __init__(self, prompt: Prompt, language: str, scheme: LabelScheme) -> None:
        self.version = prompt.version
        self._prompt = prompt
        self._language = language
        self._brief = Brief(scheme)
        self._together = 2 if prompt.name == IN_TWOS else 1

    def tokens(self, tokens: Sequence[str]) -> int:
        """Input tokens for one text, its share of a question about several."""
        task = Task("1", " ".join(tokens), self._language)
        request = self._prompt.question([task] * self._together, self._brief)
        return round((count(request.system) + count(request.user)) / self._together)


def count(text: str) -> int:
    """Tokens of a text, as :func:`counter` says."""
    return counter()[0](text)


@cache
def counter() -> tuple[Callable[[str], int], str]:
    """How tokens are counted, and what to call that."""
    try:
        from splintr import Tokenizer  # noqa: PLC0415 - optional: 19 MB of vocabularies
    except ImportError:
        rule = f"{BYTES_PER_TOKEN} bytes a token (pip install splintr-rs counts cl100k)"
        return lambda text: round(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN), rule
    tokenizer = Tokenizer.from_pretrained("cl100k_base")
    return lambda text: len(tokenizer.encode_ordinary(text)), "counted with cl100k"


def read_prices(stated: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Prices as written on the command line: ``MODEL=INPUT,OUTPUT``, dollars per million tokens."""
    prices = {}
    for each in stated:
        model, _, amounts = each.rpartition("=")
        try:
            dollars_in, dollars_out = map(float, amounts.split(","))
        except ValueError:
            dollars_in = dollars_out = -1
        if not model or dollars_in < 0 or dollars_out < 0:
            raise InputError(f"Cannot read the price {each!r}. Write it so: --price gpt-x=2.5,10")
        prices[model] = (dollars_in, dollars_out)
    return prices


def _estimate(recording: Recording, questions: Questions) -> Usage:
    """Answers that nobody kept are taken to be as long as the others."""
    into = out = 0
    for record in recording.records:
        into += recording.repetitions * questions.tokens(record.tokens)
        out += _answer_tokens(record, recording.repetitions, _typical(recording))
    return Usage(into, out)


def _answer_tokens(record: Record, asked: int, typical: float) -> int:
    known = [count(_written(answer)) for answer in record.answers]
    return sum(known) + round((asked - len(known)) * typical)


def _typical(recording: Recording) -> float:
    lengths = [
        len(_written(answer).encode("utf-8", "replace")) / BYTES_PER_TOKEN
        for record in recording.records
        for answer in record.answers[:1]
    ]
    return fmean(lengths) if lengths else 0.0


def _written(answer: Any) -> str:
    """An answer as the model wrote it, or nearly."""
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def _prompt(model: str, templates: Path | None) -> Prompt:
    name = IN_TWOS if model.endswith(".batch2") else SINGLE
    return PaperPrompt(name, templates) if templates else Prompt(name)


def _price(model: str, stated: Prices) -> Price | None:
    name = _VARIANT.sub("", model)
    configured = stated.get(model, stated.get(name))
    try:
        return price_of(None, name, configured)
    except ProviderError:
        return None


def _sum(usages: Sequence[Usage]) -> Usage:
    return Usage(sum(each.input for each in usages), sum(each.output for each in usages))


def usd_per(bill: Bill | None, right: int, texts: int) -> Decimal | None:
    """Dollars for each span that is right, when every text is asked about once."""
    if bill is None or bill.usd is None or not right or not bill.answers:
        return None
    return bill.usd / bill.answers * texts / right
