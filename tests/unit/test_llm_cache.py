from dataclasses import replace

import pytest

from backend.domain import Usage
from backend.llm.cache import answer_key, from_stored, to_stored
from backend.llm.chat import ChatRequest, Completion, Failure, Stop

REQUEST = ChatRequest("fixed", "Ada", {"type": "object"}, 100)


class Model:
    provider = "openai"

    def __init__(self, model: str = "gpt-6-luna") -> None:
        self.model = model

    def ask(self, request: ChatRequest) -> Completion | Failure:
        raise NotImplementedError


@pytest.mark.parametrize(
    "other",
    [
        answer_key(Model("gpt-4o"), "v1", REQUEST),
        answer_key(Model(), "v2", REQUEST),
        answer_key(Model(), "v1", replace(REQUEST, system="other guidelines")),
        answer_key(Model(), "v1", replace(REQUEST, user="Ada ")),
        answer_key(Model(), "v1", replace(REQUEST, schema={"type": "array"})),
        answer_key(Model(), "v1", replace(REQUEST, max_output_tokens=101)),
    ],
)
def test_whatever_shapes_an_answer_changes_its_key(other: str):
    assert answer_key(Model(), "v1", REQUEST) != other


def test_equal_questions_have_equal_keys():
    assert answer_key(Model(), "v1", REQUEST) == answer_key(Model(), "v1", replace(REQUEST))


@pytest.mark.parametrize("stop", Stop)
def test_a_stored_answer_comes_back_without_a_bill(stop: Stop):
    completion = Completion("Ọ̀yọ́ \x00 \ud800", stop, Usage(5, 5))
    stored = to_stored(completion)
    assert stored.isascii()
    assert "\x00" not in stored
    assert from_stored(stored) == replace(completion, usage=None)


@pytest.mark.parametrize("stored", ["", "null", "[]", "{}", '{"stop": "odd", "text": ""}', "{"])
def test_a_damaged_entry_is_no_answer(stored: str):
    assert from_stored(stored) is None
