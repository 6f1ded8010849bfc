"""What was paid for, and what it came to: the ledger summed up in one way or another."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Charge:
    """One attempt at a call, as it stands in the ledger.

    ``settled`` is false while its bill is unknown: ``usd`` is then the most that it can be.
    """

    day: date
    provider: str
    model: str
    prompt_version: str
    outcome: str
    settled: bool
    usd: Decimal
    tasks: int
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int


class Grouping(enum.StrEnum):
    """By what charges are summed up."""

    DAY = "day"
    MODEL = "model"
    OUTCOME = "outcome"
    PROMPT = "prompt"


NAME_OF: Mapping[Grouping, Callable[[Charge], str]] = {
    Grouping.DAY: lambda charge: charge.day.isoformat(),
    Grouping.MODEL: lambda charge: f"{charge.provider}/{charge.model}",
    Grouping.OUTCOME: lambda charge: charge.outcome or "under way or interrupted",
    Grouping.PROMPT: lambda charge: charge.prompt_version,
}


@dataclass(frozen=True, slots=True)
class CostLine:
    """Charges of one day, model, outcome or prompt together.

    ``tasks`` counts a task once per attempt; ``unsettled_usd`` is the part of ``usd`` whose bills
    are unknown.
    """

    name: str
    attempts: int = 0
    tasks: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    usd: Decimal = Decimal(0)
    unsettled_usd: Decimal = Decimal(0)

    def with_charge(self, charge: Charge) -> CostLine:
        """The line with one charge more."""
        return replace(
            self,
            attempts=self.attempts + 1,
            tasks=self.tasks + charge.tasks,
            input_tokens=self.input_tokens + charge.input_tokens,
            cached_input_tokens=self.cached_input_tokens + charge.cached_input_tokens,
            output_tokens=self.output_tokens + charge.output_tokens,
            usd=self.usd + charge.usd,
            unsettled_usd=self.unsettled_usd + (0 if charge.settled else charge.usd),
        )


COLUMNS = tuple(column.name for column in fields(CostLine))
TOTAL = "total"


def cost_lines(charges: Iterable[Charge], by: Grouping) -> list[CostLine]:
    """One line per group in the order of their names, and their total as the last."""
    total = CostLine(TOTAL)
    lines: defaultdict[str, CostLine] = defaultdict(lambda: CostLine(""))
    for charge in charges:
        name = NAME_OF[by](charge)
        lines[name] = lines[name].with_charge(charge)
        total = total.with_charge(charge)
    return [replace(lines[name], name=name) for name in sorted(lines)] + [total]
