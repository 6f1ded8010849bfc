"""Taggers: sequence labellers trained on accepted labels, and their versions on disk."""
