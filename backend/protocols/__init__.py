"""The promises the loop is written against; implementations live elsewhere.

A protocol here is small on purpose. What each member promises is tested by one contract suite per
protocol under ``tests/contract``, which every implementation passes, fakes included.
"""

from backend.protocols.annotating import Annotator, AnswerCache, BatchRecords, Ledger, OpenBatch
from backend.protocols.jobs import Jobs, JobTable
from backend.protocols.progress import Progress, silent
from backend.protocols.querying import Pool, Strategy
from backend.protocols.records import ReviewRecords, RoundRecords, SuggestionRecords, TaskRecords
from backend.protocols.tagging import (
    Explained,
    FloatArray,
    Models,
    Reading,
    Revising,
    SamplingTagger,
    Tagger,
    TaggerFamily,
    Tagging,
    reading,
)
from backend.protocols.tool import AnnotationTool

__all__ = [
    "AnnotationTool",
    "Annotator",
    "AnswerCache",
    "BatchRecords",
    "Explained",
    "FloatArray",
    "JobTable",
    "Jobs",
    "Ledger",
    "Models",
    "OpenBatch",
    "Pool",
    "Progress",
    "Reading",
    "ReviewRecords",
    "Revising",
    "RoundRecords",
    "SamplingTagger",
    "Strategy",
    "SuggestionRecords",
    "Tagger",
    "TaggerFamily",
    "Tagging",
    "TaskRecords",
    "reading",
    "silent",
]
