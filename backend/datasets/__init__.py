"""Public research data, fetched for a reader who accepts its licence."""
