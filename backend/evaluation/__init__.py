"""The laboratory: how good each annotator is, how sure that is, and what it costs."""
