"""A folder of small corpora, made from the shipped sample, for what plays the loop over texts."""

from __future__ import annotations

from pathlib import Path

from backend.domain import Example
from backend.samples import sample_texts
from backend.text.conll import from_text, write_conll


def write_corpora(folder: Path) -> Path:
    """``<folder>/{aaa,bbb}/{train,dev,test}.txt``: each half of the sample, all languages mixed."""
    examples = [example for _, example in sample_texts()]
    for name, half in (("aaa", examples[::2]), ("bbb", examples[1::2])):
        place = folder / name
        place.mkdir(parents=True)
        for part, chosen in (("test", half[:40]), ("dev", half[40:50]), ("train", half[50:])):
            write_conll(place / f"{part}.txt", map(sentence, chosen))
    return folder


def sentence(example: Example):
    """An example as a CoNLL sentence; its white space becomes single spaces."""
    return from_text(example.text.replace("\u00a0", " "), example.spans)
