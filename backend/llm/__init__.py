"""LLM annotators: prompts, provider clients, parsing, cache and retries."""
