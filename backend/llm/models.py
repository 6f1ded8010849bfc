"""What differs between models of one provider: current defaults and how to ask for little thought.

Marking names needs no chain of thought, and thinking is billed as output and counts towards its
limit, so each family is asked for the least it offers.
"""

from __future__ import annotations

import re
from typing import Any

DEFAULT_MODELS = {"openai": "gpt-6-luna", "anthropic": "claude-haiku-5-5"}
"""Small current models, served in November 2026."""

OPENAI_REASONING = re.compile(r"^(gpt-[5-9]|o[134])")
OPENAI_LEAST_EFFORT = (
    (re.compile(r"-pro\b"), None),
    (re.compile(r"^(gpt-6-astra|o[134])"), "low"),
    (re.compile(r"^gpt-(5\.|[6-9])"), "none"),
    (re.compile(r"^gpt-5"), "minimal"),
)
"""The first pattern that fits decides; no effort can be asked of any other model."""

ANTHROPIC_ALWAYS_THINKING = re.compile(r"^claude-(opus-5-5|fable|mythos)")
ANTHROPIC_BETWEEN_TOOLS = re.compile(r"^claude-sonnet-5-5")


def openai_limits(model: str, max_output_tokens: int) -> dict[str, Any]:
    """Parameters that bound a chat completion's output and thought.

    Models that reason demand ``max_completion_tokens``; local servers know ``max_tokens`` only.
    """
    if not OPENAI_REASONING.match(model):
        return {"max_tokens": max_output_tokens}
    effort = next((least for known, least in OPENAI_LEAST_EFFORT if known.search(model)), None)
    limits: dict[str, Any] = {"max_completion_tokens": max_output_tokens}
    return limits | ({"reasoning_effort": effort} if effort else {})


def anthropic_thinking(model: str) -> dict[str, Any]:
    """Parameters that turn a message's thinking off, as far as the model allows."""
    if ANTHROPIC_ALWAYS_THINKING.match(model):
        return {}
    least = "between_tools" if ANTHROPIC_BETWEEN_TOOLS.match(model) else "disabled"
    return {"thinking": {"type": least}}


def anthropic_effort(model: str) -> dict[str, Any]:
    """Output settings for models that always think: little."""
    return {"effort": "low"} if ANTHROPIC_ALWAYS_THINKING.match(model) else {}
