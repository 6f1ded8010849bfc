"""The demo: the whole loop on the sample corpus, inside a real Label Studio."""
