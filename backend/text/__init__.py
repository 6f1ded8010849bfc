"""Texts as they are: tokens, normal forms, spans and corpora, with exact offsets."""
