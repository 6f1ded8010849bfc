"""Active learning: how sure a model is, and which task to ask a human next."""
