"""A linear-chain CRF's weights as arrays, read from the file that crfsuite wrote.

crfsuite's own tagger takes features as strings, one sequence at a time, under a lock. With the
weights in arrays any number of sequences are decoded together, by any number of threads.

The layout is that of ``crf1d_model.c`` and ``cqdb.c`` in crfsuite 0.12 (Okazaki, 2007): a header
with the places of its parts, 20 bytes for each weight, and two tables of strings.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from backend.protocols import FloatArray

_HEADER = struct.Struct("<4sI4sIIIIIIIII")
_PART = struct.Struct("<4sII")
_TABLE = struct.Struct("<4sIIIII")
_RECORD = struct.Struct("<II")
_WEIGHT = np.dtype([("kind", "<u4"), ("source", "<u4"), ("tag", "<u4"), ("weight", "<f8")])
_STATE, _TRANSITION = 0, 1
_VERSION = 100


@dataclass(frozen=True, slots=True)
class CrfWeights:
    """What a CRF has learned, with its tags in an order of the reader's choice.

    ``rows`` maps each feature to its row in ``emissions``, a sparse (n_features, n_tags);
    ``transitions`` is (n_tags, n_tags), from the row's tag to the column's.
    """

    tags: tuple[str, ...]
    rows: dict[bytes, int]
    emissions: csr_array
    transitions: FloatArray


def read_weights(model: bytes, tags: tuple[str, ...]) -> CrfWeights:
    """The weights in a crfsuite file, for those of ``tags`` that it knows, in that order.

    Raises ``ValueError`` for bytes that are not such a file, and for one that knows other tags.
    """
    try:
        return _read(model, tags)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"a crfsuite model that ends early or is damaged: {error}") from error


def _read(model: bytes, tags: tuple[str, ...]) -> CrfWeights:
    magic, size, kind, version, _, n_tags, n_rows, at, tags_at, rows_at, _, _ = _HEADER.unpack_from(
        model
    )
    if (magic, kind, version) != (b"lCRF", b"FOMC", _VERSION) or size != len(model):
        raise ValueError("not a whole crfsuite model")
    theirs = [tag.decode() for tag in _strings(model, tags_at, n_tags)]
    if not theirs or not set(theirs) <= set(tags):
        raise ValueError(f"a model of the tags {theirs}, not of {list(tags)}")
    known = tuple(tag for tag in tags if tag in theirs)
    column = np.array([known.index(tag) for tag in theirs], dtype=np.intp)

    part, _, n_weights = _PART.unpack_from(model, at)
    weights = np.frombuffer(model, _WEIGHT, n_weights, at + _PART.size)
    if part != b"FEAT" or not np.isfinite(weights["weight"]).all():
        raise ValueError("a crfsuite model without usable weights")
    state = weights[weights["kind"] == _STATE]
    step = weights[weights["kind"] == _TRANSITION]
    transitions = np.zeros((len(known), len(known)))
    transitions[column[step["source"]], column[step["tag"]]] = step["weight"]
    return CrfWeights(
        known,
        {name: row for row, name in enumerate(_strings(model, rows_at, n_rows))},
        _sparse(state, column, (n_rows, len(known))),
        transitions,
    )


def _sparse(
    state: npt.NDArray[Any], column: npt.NDArray[np.intp], shape: tuple[int, int]
) -> csr_array:
    if len(state) and state["source"].max() >= shape[0]:
        raise ValueError("a crfsuite model with weights of unknown features")
    places = (state["source"].astype(np.intp), column[state["tag"]])
    return csr_array((state["weight"], places), shape=shape)


def _strings(model: bytes, at: int, count: int) -> list[bytes]:
    """The strings of a table in the order of their numbers."""
    name, _, _, _, n_backward, backward = _TABLE.unpack_from(model, at)
    if name != b"CQDB" or n_backward < count:
        raise ValueError("a crfsuite model with a damaged table of strings")
    offsets = struct.unpack_from(f"<{count}I", model, at + backward)
    strings = []
    for offset in offsets:
        begin = at + offset + _RECORD.size
        _, length = _RECORD.unpack_from(model, at + offset)
        if length == 0 or begin + length > len(model):
            raise ValueError("a crfsuite model with a damaged table of strings")
        strings.append(model[begin : begin + length - 1])  # a zero byte ends each
    return strings
