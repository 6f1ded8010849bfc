"""The sections of an evaluation's report: each says one thing about all annotators."""
