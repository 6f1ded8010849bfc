"""Texts with gold labels, and annotators that answer in files, over the wire or in a project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from backend.domain import Annotation, Answer, Example, LabelScheme, Outcome, Span, Task
from backend.errors import InputError
from backend.evaluation.cells import Cell, Judged, single
from backend.evaluation.recorded import joined_offsets
from backend.protocols import Annotator, Progress, Tagger, silent
from backend.text.conll import read_conll, to_text
from backend.text.tokens import tokenise

CONLL = (".conll", ".txt", ".bio", ".iob2")
HUMAN = "annotator"


def read_gold(files: Sequence[Path], language: str | None) -> dict[str, list[Judged]]:
    """Gold texts by language: ``language`` for all of them, or else each file's name."""
    texts: dict[str, list[Judged]] = {}
    for path in files:
        name = language or stem_of(path)
        known = texts.setdefault(name, [])
        for sentence in read_conll(path):
            text, spans = to_text(sentence)
            if text:
                tokens = joined_offsets([token for token in sentence.tokens if token])
                known.append(Judged(f"{path.name}:{len(known)}", text, tokens, frozenset(spans)))
    if not any(texts.values()):
        raise InputError("There is no text with labels in --gold. Give a CoNLL file.")
    return texts


def scheme_in(texts: Mapping[str, Sequence[Judged]]) -> LabelScheme:
    """The labels of gold texts, in order of first use."""
    labels = {
        span.label: None for group in texts.values() for text in group for span in sorted(text.gold)
    }
    return LabelScheme(tuple(labels))


def read_predictions(folder: Path, gold: Mapping[str, Sequence[Judged]]) -> Iterator[Cell]:
    """A cell for each file ``<annotator>/<language>.conll``, or ``<annotator>.conll`` for one.

    A file has the sentences of the gold, in its order. Raises
    :class:`~backend.errors.InputError` for one that has others, and for a folder without any.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}. Check the path of the predictions.")
    found = 0
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        if not path.is_file() or not path.name.removesuffix(".gz").endswith(CONLL):
            continue
        nested = path.parent != folder
        name = path.parent.name if nested else stem_of(path)
        languages = [stem_of(path)] if nested else list(gold)
        if len(languages) > 1:
            raise InputError(
                f"{path} could be of any of {', '.join(gold)}. Put it into a folder named after "
                f"its annotator, and name it after its language."
            )
        if languages[0] in gold:
            found += 1
            yield _predicted(path, name, languages[0], gold[languages[0]])
    if not found:
        raise InputError(
            f"There are no predictions in {folder} for {', '.join(gold)}. Expected CoNLL files "
            "named <annotator>/<language>.conll or <annotator>.conll."
        )


def _predicted(path: Path, name: str, language: str, gold: Sequence[Judged]) -> Cell:
    given = [pair for pair in map(to_text, read_conll(path)) if pair[0]]
    if len(given) != len(gold):
        raise InputError(
            f"{path} has {len(given)} sentences and the gold {len(gold)}. They must be the same, "
            "in the same order."
        )
    for number, (text, (words, _)) in enumerate(zip(gold, given, strict=True), start=1):
        if text.text != words:
            raise InputError(f"{path}: sentence {number} is not the gold's: {words[:60]!r}.")
    return single(
        name,
        language,
        ((text, frozenset(spans)) for text, (_, spans) in zip(gold, given, strict=True)),
    )


def asked(
    annotator: Annotator,
    texts: Mapping[str, Sequence[Judged]],
    scheme: LabelScheme,
    progress: Progress = silent,
) -> Iterator[Cell]:
    """The cells of an annotator that is asked now. What it costs, its ledger knows."""
    total = sum(map(len, texts.values()))
    done = 0
    for language, group in texts.items():
        by_id = {str(at): text for at, text in enumerate(group)}
        tasks = [Task(id_, text.text, language) for id_, text in by_id.items()]
        answers: dict[str, Answer] = {}
        for answer in annotator.annotate(tasks, scheme):
            answers[answer.task_id] = answer
            done += 1
            progress(done, total, "texts")
        problems = Counter(
            f"{answer.outcome.value}: {answer.detail}" if answer.detail else answer.outcome.value
            for answer in answers.values()
            if answer.outcome is not Outcome.ANNOTATED
        )
        spans = {
            id_: frozenset(answer.suggestion.spans) if answer.suggestion else None
            for id_, answer in answers.items()
        }
        pairs = [(text, spans[id_]) for id_, text in by_id.items()]
        yield single(annotator.model, language, pairs, problems=problems)


def tagged(
    name: str, tagger: Tagger, texts: Mapping[str, Sequence[Judged]], progress: Progress = silent
) -> Iterator[Cell]:
    """The cells of a tagger."""
    for language, group in texts.items():
        taggings = tagger.tag([text.text for text in group], progress)
        pairs = [
            (text, frozenset(tagging.spans)) for text, tagging in zip(group, taggings, strict=True)
        ]
        yield single(name, language, pairs)


def people(
    annotations: Sequence[tuple[Task, Annotation]], texts: Mapping[str, Sequence[Judged]]
) -> Iterator[Cell]:
    """The cells of those who labelled a text that is among the gold ones, word by word.

    Somebody is measured on the texts that they labelled and no others.
    """
    spans: dict[str, dict[str, frozenset[Span]]] = {}
    for task, annotation in annotations:
        if not annotation.skipped:
            mine = spans.setdefault(annotation.annotator, {})
            mine[task.text] = frozenset(annotation.spans)
    for annotator, mine in sorted(spans.items()):
        for language, group in texts.items():
            pairs = [(text, mine[text.text]) for text in group if text.text in mine]
            if pairs:
                yield single(f"{HUMAN} {annotator}", language, pairs)


def judged(examples: Sequence[Example]) -> list[Judged]:
    """Accepted labels as gold."""
    return [
        Judged(each.task_id, each.text, tuple(tokenise(each.text)), frozenset(each.spans))
        for each in examples
    ]


def stem_of(path: Path) -> str:
    """A file's name without what says its format."""
    return path.name.removesuffix(".gz").rsplit(".", 1)[0]
