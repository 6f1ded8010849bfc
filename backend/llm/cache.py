"""How a paid answer is found again: a key over everything that shaped it, and its stored form.

Every answer that was billed is kept, also one that was truncated, refused, filtered or could not
be parsed: asking again would be paid again. A new prompt, model or limit is a new key.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, astuple

from backend.llm.chat import Certainty, ChatClient, ChatRequest, Completion, Stop


def answer_key(client: ChatClient, prompt_version: str, request: ChatRequest) -> str:
    """SHA-256 over prompt version, model, parameters and the rendered request.

    The request holds labels, guidelines, language and text.
    """
    shaping = [client.provider, client.model, prompt_version, request.identity()]
    return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode("ascii")).hexdigest()


def to_stored(completion: Completion) -> str:
    """The completion as ASCII JSON, so that any database takes whatever the model wrote."""
    stored: dict[str, object] = {"stop": completion.stop.value, "text": completion.text}
    if completion.certainties:
        stored["certainties"] = [astuple(one) for one in completion.certainties]
    if completion.origin is not None:
        stored["origin"] = asdict(completion.origin)
    return json.dumps(stored)


def from_stored(stored: str) -> Completion | None:
    """The completion that :func:`to_stored` wrote; ``None`` for anything else.

    Its usage is unknown, because this time nothing is billed.
    """
    try:
        data = json.loads(stored)
        text, stop = str(data["text"]), Stop(data["stop"])
        certainties = tuple(Certainty(*one) for one in data.get("certainties", ()))
        return Completion(text, stop, None, certainties)
    except (ValueError, TypeError, KeyError):
        return None
