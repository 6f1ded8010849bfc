import pytest

from backend.llm.models import anthropic_effort, anthropic_thinking, openai_limits


@pytest.mark.parametrize(
    ("model", "limits"),
    [
        ("gpt-6-luna", {"max_completion_tokens": 9, "reasoning_effort": "none"}),
        ("gpt-5.4-mini", {"max_completion_tokens": 9, "reasoning_effort": "none"}),
        ("gpt-5-mini", {"max_completion_tokens": 9, "reasoning_effort": "minimal"}),
        ("gpt-6-astra", {"max_completion_tokens": 9, "reasoning_effort": "low"}),
        ("o4-mini", {"max_completion_tokens": 9, "reasoning_effort": "low"}),
        ("gpt-5.5-pro", {"max_completion_tokens": 9}),
        ("gpt-4o", {"max_tokens": 9}),
        ("qwen3:8b", {"max_tokens": 9}),
    ],
)
def test_openai_models_are_asked_for_the_least_thought_they_offer(model, limits):
    assert openai_limits(model, 9) == limits


@pytest.mark.parametrize(
    ("model", "thinking", "effort"),
    [
        ("claude-haiku-5-5", {"thinking": {"type": "disabled"}}, {}),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}, {}),
        ("claude-opus-5-5", {}, {"effort": "low"}),
        ("claude-fable-5-2", {}, {"effort": "low"}),
        ("claude-opus-5", {"thinking": {"type": "disabled"}}, {}),
    ],
)
def test_anthropic_models_are_asked_for_the_least_thought_they_offer(model, thinking, effort):
    assert (anthropic_thinking(model), anthropic_effort(model)) == (thinking, effort)
