"""Annotating a file from end to end, without a labelling tool."""
