"""Questions that a project's own records can answer: how good, by whom, and what to look at."""
