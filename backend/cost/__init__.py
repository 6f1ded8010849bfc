"""What LLM calls cost."""
