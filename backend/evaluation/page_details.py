"""The sections of a report behind its answer: each says one thing about all annotators."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from backend.evaluation.laboratory import Evaluation, Measured
from backend.evaluation.measures import LONGEST, length_name
from backend.evaluation.referral import SHARES, Referral
from backend.evaluation.repetitions import Repetitions
from backend.quality.intervals import wilson
from backend.quality.span_errors import Finding
from backend.reports.figures import Row, Series, forest, reliability_diagram, scatter, stacked_bars
from backend.reports.page import Cell, Column, Figure, Section, Table, Text

WHO = (Column("annotator"), Column("language", words=True))
MOST_CURVES = 4


def failures_section(found: Evaluation) -> Section:
    """What answers are worth as they come, and what reading them with care wins back."""
    names = list(dict.fromkeys(name for each in found.measured for name in each.result.readings))
    if len(names) < 2:
        return Section("Failures", _problems(found))
    columns = [*WHO, Column("failed")]
    for name in names:
        columns.append(Column(f"{name}, failures as errors", percent=True))
    columns += [
        Column(f"{names[0]}, accepted only", percent=True),
        Column("accepted texts"),
        Column(f"all repetitions, {names[-1]}", percent=True),
    ]
    rows: list[tuple[Cell, ...]] = []
    for each in found.measured:
        readings = each.result.readings
        strict = readings[names[0]]
        rows.append(
            (
                each.name,
                each.language,
                strict.failed,
                *(readings[name].scores.f1 for name in names),
                strict.accepted.f1 if strict.accepted else None,
                strict.accepted.texts if strict.accepted else 0,
                readings[names[-1]].all_answers,
            )
        )
    return Section(
        "What failures cost, and what repair wins back",
        [
            Text(
                "By position: JSON with exactly one item for each token, as the paper took it. "
                "Aligned: a plain global alignment of the given tokens with the text's. Repaired: "
                "as harambee reads answers. Accepted only leaves the failed texts out, which "
                "flatters whoever fails on the hard ones."
            ),
            Table("F1 of first answers by how they are read", columns, rows),
            *_problems(found),
        ],
    )


def labels_section(found: Evaluation) -> Section:
    """F1 by label and by how long an entity is."""
    lengths = [length_name(length) for length in range(1, LONGEST + 1)]
    by_label: list[tuple[Cell, ...]] = [
        (each.name, each.language, *(each.result.by_label[label].f1 for label in found.labels))
        for each in found.measured
    ]
    by_length: list[tuple[Cell, ...]] = [
        (each.name, each.language, *(each.result.by_length[name].f1 for name in lengths))
        for each in found.measured
    ]
    gold = {
        label: sum(
            found.of(language)[0].result.by_label[label].gold for language in found.languages
        )
        for label in found.labels
    }
    note = "Entities to find: " + ", ".join(f"{count} {label}" for label, count in gold.items())
    return Section(
        "By label and by length",
        [
            Table(
                "F1 by label",
                [*WHO, *(Column(label, percent=True) for label in found.labels)],
                by_label,
                f"{note}.",
            ),
            Table(
                "F1 by length of the entity",
                [*WHO, *(Column(name, percent=True) for name in lengths)],
                by_length,
            ),
        ],
    )


def errors_section(found: Evaluation) -> Section:
    """What kind of errors annotators make."""
    kinds = [kind for kind in Finding if kind is not Finding.RIGHT]
    rows: list[tuple[Cell, ...]] = [
        (each.name, each.language, *(each.result.findings[kind] for kind in Finding))
        for each in found.measured
    ]
    names = found.annotators
    gold = {
        name: sum(each.result.scores.gold for each in found.measured if each.name == name) or 1
        for name in names
    }
    parts = {
        kind.value: [
            100 / gold[name]
            * sum(each.result.findings[kind] for each in found.measured if each.name == name)
            for name in names
        ]
        for kind in kinds
    }  # fmt: skip
    return Section(
        "Kinds of error",
        [
            stacked_bars("Errors for every 100 entities to find", names, parts, "errors"),
            Table(
                "Spans by what became of them",
                [*WHO, *(Column(kind.value, 0) for kind in Finding)],
                rows,
                "A wrong span is paired with at most one entity that nobody found; what has no "
                "partner is missed or spurious.",
            ),
        ],
    )


def tokens_section(found: Evaluation) -> Section:
    """What looks better than strict F1, beside it."""
    rows: list[tuple[Cell, ...]] = [
        (
            each.name,
            each.language,
            each.f1,
            each.result.tokens.accuracy,
            each.result.tokens.accepted,
            each.result.tokens.entity,
        )
        for each in found.measured
    ]
    return Section(
        "Beside strict F1",
        [
            Text(
                "Most tokens are outside of every entity, so token accuracy is high for whoever "
                "marks little. The paper's consistency is token accuracy against gold, averaged "
                "over repetitions that did not fail: it says nothing of consistency. Its metric "
                "for taggers leaves out every token outside of gold entities, so spurious spans "
                "are free. They are here for comparison."
            ),
            Table(
                "Strict F1 and what it is often replaced by",
                [
                    *WHO,
                    Column("strict F1", percent=True),
                    Column("token accuracy, failures wrong", percent=True),
                    Column("the paper's consistency", percent=True),
                    Column("accuracy inside gold entities", percent=True),
                ],
                rows,
            ),
        ],
    )


def repetitions_section(found: Evaluation) -> Section:
    """Whether asking again helps, and whether what is stable is right."""
    repeated = [(each, each.repeated) for each in found.measured if each.repeated]
    if not repeated:
        return Section("Repetitions", ())
    votes: list[tuple[Cell, ...]] = [
        (
            each.name,
            each.language,
            it.asked,
            it.majority,
            it.gain,
            it.unanimous,
            it.unanimous_spans,
            it.majority_error,
            it.error,
        )
        for each, it in repeated
    ]
    stable: list[tuple[Cell, ...]] = [
        (
            each.name,
            each.language,
            it.with_failures.span_f1,
            it.without_failures.span_f1,
            it.with_failures.token_share,
            it.with_failures.kappa,
            it.without_failures.kappa,
            it.with_failures.alpha,
            it.without_failures.alpha,
            it.with_failures.span_alpha,
            it.without_failures.span_alpha,
        )
        for each, it in repeated
    ]
    return Section(
        "Asking the same annotator again",
        [
            Text(
                "A span that every answer gives looks certain. The share of these that is right "
                "says how far that goes; the calibration error is the distance between the share "
                "of answers that give a span and the share of such spans that is right."
            ),
            reliability_diagram(
                "Share of answers that give a span, and share of such spans that is right",
                _curves(found, repeated),
                "share of answers",
            ),
            Table(
                "Votes",
                [
                    *WHO,
                    Column("answers"),
                    Column("majority F1", percent=True),
                    Column("gain over the first", percent=True),
                    Column("right of unanimous", percent=True),
                    Column("unanimous spans"),
                    Column("calibration error of the majority", 2),
                    Column("of all spans", 2),
                ],
                votes,
                "The majority holds the spans that at least half of the answers give.",
            ),
            Table(
                "Do the answers agree with each other?",
                [
                    *WHO,
                    Column("span F1 between answers", percent=True),
                    Column("span F1, without failures", percent=True),
                    Column("equal tags", percent=True),
                    Column("Fleiss' kappa", 2),
                    Column("kappa, without failures", 2),
                    Column("Krippendorff's alpha", 2),
                    Column("alpha, without failures", 2),
                    Column("alpha over spans", 2),
                    Column("alpha over spans, without failures", 2),
                ],
                stable,
                "Kappa and alpha are over tokens, O included. A failed answer gives no span and "
                "agrees on no token; a dash stands where chance alone would agree.",
            ),
        ],
    )


def pairs_section(found: Evaluation) -> Section:
    """What two annotators agree on."""
    together = [result for result in found.languages.values() if result]
    if not together:
        return Section("Agreement", ())
    pairs: list[tuple[Cell, ...]] = [
        (
            f"{pair.first}, {pair.second}",
            result.language,
            pair.texts,
            pair.f1,
            pair.both,
            pair.only_first,
            pair.only_second,
        )
        for result in together
        for pair in result.pairs
        if pair.texts
    ]
    whole: list[tuple[Cell, ...]] = [
        (
            result.language,
            len(found.of(result.language)),
            result.with_failures.span_f1,
            result.without_failures.span_f1,
            result.with_failures.kappa,
            result.without_failures.kappa,
            result.with_failures.alpha,
            result.without_failures.alpha,
            result.with_failures.span_alpha,
        )
        for result in together
    ]
    return Section(
        "Where annotators agree",
        [
            Text(
                "Two annotators that err in different ways are a test of each other: a span that "
                "both give is far more often right than one that one of them gives alone."
            ),
            *_best_pairs(found),
            Table(
                "Share of spans that is right, of every two annotators",
                [
                    Column("annotators"),
                    Column("language", words=True),
                    Column("texts both answered"),
                    Column("F1 between them", percent=True),
                    Column("both give", percent=True),
                    Column("only the first", percent=True),
                    Column("only the second", percent=True),
                ],
                pairs,
                "First answers, on the texts that neither failed on; Wilson intervals.",
            ),
            Table(
                "All annotators of a language",
                [
                    Column("language"),
                    Column("annotators"),
                    Column("span F1 between them", percent=True),
                    Column("span F1, without failures", percent=True),
                    Column("Fleiss' kappa", 2),
                    Column("kappa, without failures", 2),
                    Column("Krippendorff's alpha", 2),
                    Column("alpha, without failures", 2),
                    Column("alpha over spans", 2),
                ],
                whole,
            ),
        ],
    )


def referral_section(found: Evaluation) -> Section:
    """What a person should look at."""
    rows: list[tuple[Cell, ...]] = [
        _referral_row(each.name, each.language, "its own repetitions", each.repeated.referral)
        for each in found.measured
        if each.repeated
    ]
    for result in found.languages.values():
        if result:
            (best, _), (second, _), *_ = result.ranking.order
            rows.append(_referral_row(best, result.language, second, result.referral))
    if not rows:
        return Section("Referral", ())
    columns = [*WHO, Column("disagreeing with", words=True), Column("F1", percent=True)]
    for share in SHARES:
        columns += [
            Column(f"{share:.0%} corrected", percent=True),
            Column("at random", percent=True),
            Column("gain", percent=True),
        ]
    return Section(
        "What a person should look at",
        [
            Text(
                "A person corrects a share of the texts without error: those on which answers "
                "differ in most spans, or as many at random."
            ),
            Table("F1 after correction", columns, rows),
        ],
    )


def costs_section(found: Evaluation) -> Section:
    """What right spans cost."""
    billed = [(each, each.bill) for each in found.measured if each.bill and each.bill.answers]
    if not billed:
        return Section("Cost", ())
    rows: list[tuple[Cell, ...]] = [
        (
            each.name,
            each.language,
            bill.input_tokens / bill.answers or None,
            bill.output_tokens / bill.answers or None,
            None if bill.usd is None else float(bill.usd) / bill.answers,
            None if each.usd_per_right_span is None else float(each.usd_per_right_span),
            "estimated" if bill.estimated else "billed",
        )
        for each, bill in billed
    ]
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for each, bill in billed:
        if bill.usd:
            points[each.name].append((1000 * float(bill.usd) / bill.answers, 100 * each.f1))
    bases = sorted({bill.basis for _, bill in billed})
    figure = (
        [scatter("Cost and quality", points, "$ for 1,000 texts", "F1", log_x=True)]
        if points
        else []
    )
    return Section(
        "Cost of a right span",
        [
            Text("What the numbers rest on: " + ". ".join(f"{basis}" for basis in bases) + "."),
            *figure,
            Table(
                "Cost of one answer to each text",
                [
                    *WHO,
                    Column("input tokens", 0),
                    Column("output tokens", 0),
                    Column("$ a text", 5),
                    Column("$ a right span", 5),
                    Column("tokens", words=True),
                ],
                rows,
                "Failed answers are paid for too. A dash: no price known; give one with --price.",
            ),
        ],
    )


def _problems(found: Evaluation) -> list[Table]:
    rows: list[tuple[Cell, ...]] = [
        (each.name, each.language, count, reason)
        for each in found.measured
        for reason, count in sorted(each.problems.items(), key=lambda item: -item[1])
    ]
    if not rows:
        return []
    columns = [*WHO, Column("answers or lines"), Column("why", words=True)]
    return [Table("What could not be used", columns, rows)]


def _curves(found: Evaluation, repeated: Sequence[tuple[Measured, Repetitions]]) -> list[Series]:
    """The best annotators' bins, pooled over languages."""
    curves: list[Series] = []
    for name in found.annotators:
        bins: dict[float, list[int]] = defaultdict(lambda: [0, 0])
        for each, it in repeated:
            for one in it.bins if each.name == name else ():
                tally = bins[round(one.confidence, 6)]
                tally[0] += one.right
                tally[1] += one.count
        if bins and len(curves) < MOST_CURVES:
            places = sorted(bins)
            shares = [wilson(*bins[place]) for place in places]
            curves.append(
                Series(
                    name,
                    places,
                    [share.value for share in shares],
                    [share.low for share in shares],
                    [share.high for share in shares],
                )
            )
    return curves


def _best_pairs(found: Evaluation) -> list[Figure]:
    """For each language the two best annotators that answered some texts both."""
    rows = []
    for result in found.languages.values():
        if result is None:
            continue
        order = [name for name, _ in result.ranking.order]
        ranked = {name: at for at, name in enumerate(order)}
        pairs = [pair for pair in result.pairs if pair.counts[0]]
        if not pairs:
            continue
        pair = min(pairs, key=lambda it: ranked[it.first] + ranked[it.second])
        names = (
            (f"{result.language}: {pair.first} and {pair.second}", pair.both, "both give"),
            (f"{result.language}: {pair.first} alone", pair.only_first, "one gives alone"),
            (f"{result.language}: {pair.second} alone", pair.only_second, "one gives alone"),
        )
        rows += [Row(name, share, group) for name, share, group in names if share.value >= 0]
    if not rows:
        return []
    caption = "Share of spans that is right, of the two best annotators"
    return [forest(caption, rows, "right, %", percent=True)]


def _referral_row(name: str, language: str, doubter: str, it: Referral) -> tuple[Cell, ...]:
    numbers: list[Cell] = []
    for share in SHARES:
        numbers += [it.chosen[share], it.random[share], it.gain(share)]
    return (name, language, doubter, it.before, *numbers)
