"""Harambee: LLMs, annotators and a small tagger label low-resource text together."""

__version__ = "0.1.0"
