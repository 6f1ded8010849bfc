"""Measures of quality, strict by default."""
