"""HTTP to one Argilla.

Argilla may commit a write and still answer 500, when its search engine is down, and then drops the
connection; so everything that can be repeated without harm is, reads and most writes alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.errors import ToolUnreachableError
from backend.tool_http import ToolHttp, ToolNames

KEY_HEADER = "X-Argilla-Api-Key"
ARGILLA = ToolNames(
    name="Argilla",
    address="ARGILLA_API_URL",
    example="http://localhost:6900",
    key="ARGILLA_API_KEY",
    key_place="'My settings' in Argilla",
    timeout="argilla.timeout_seconds",
    not_accepted="Copy it again from 'My settings' in Argilla and set ARGILLA_API_KEY.",
    not_allowed=(
        "The key's user lacks the right: webhooks and users need an owner, datasets an owner or an "
        "admin of their workspace."
    ),
    overloaded=(
        "Its search engine may be down or starting, or it is overloaded; its log says more."
    ),
    not_found=(
        "Check argilla.workspace and argilla.dataset, and that the key's user is a member of the "
        "workspace."
    ),
)


class ArgillaHttp(ToolHttp):
    """JSON requests to one Argilla. See :class:`~backend.tool_http.ToolHttp`."""

    names = ARGILLA

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Read JSON, trying again while Argilla cannot be reached."""
        return self.repeat("GET", path, None, params)

    def repeat(
        self, method: str, path: str, content: Any = None, params: Mapping[str, Any] | None = None
    ) -> Any:
        """Send what may be done twice, trying again while Argilla cannot be reached."""
        return self._retrying(ToolUnreachableError)(self.once, method, path, content, params)

    def once(
        self, method: str, path: str, content: Any = None, params: Mapping[str, Any] | None = None
    ) -> Any:
        """Send what must not be done twice."""
        headers = {KEY_HEADER: self._key}
        response = self._send(method, f"/api/v1{path}", headers, params=params, json=content)
        return self._content(response, f"{method} {path}")

    def _sentences(self, content: object) -> list[str]:
        return sentences(content)


def sentences(content: object) -> list[str]:
    """The messages in an error, each with the place it is about where one is given."""
    if isinstance(content, list):
        return [said for item in content for said in sentences(item)]
    if not isinstance(content, dict):
        return [str(content)]
    for key in ("detail", "params", "errors"):
        if key in content:
            return sentences(content[key])
    if "msg" in content:
        place = ".".join(str(part) for part in content.get("loc", ()))
        return [f"{place}: {content['msg']}" if place else str(content["msg"])]
    return [f"{key}: {value}" for key, value in content.items()]
