"""The loop played over a corpus with gold labels: what it would bring, before it is paid for."""
