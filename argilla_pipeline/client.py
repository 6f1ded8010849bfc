"""Argilla's REST interface, as far as harambee needs it, in Argilla's own JSON.

harambee does not use Argilla's Python SDK to run: the SDK can neither sort a search nor write a
suggestion without the record's fields, and its webhook listener brings a server of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from argilla_pipeline.http import ArgillaHttp
from backend.errors import ToolRefusedError, ToolRejectedError, ToolUnreachableError
from backend.tool_http import NotFoundError

Json = dict[str, Any]

PAGE = 500
LARGEST_BULK = 500
LARGEST_RESPONSES_BULK = 100
LARGEST_DELETION = 100
PASSES = 3
"""How often a list is read again because records went away while it was read."""


class ArgillaClient:
    """One Argilla, seen with one user's rights.

    Errors are :class:`~backend.errors.ToolError` and its children. Safe to share between threads.
    """

    def __init__(self, url: str, api_key: str, timeout: float = 60.0) -> None:
        self.http = ArgillaHttp(url, api_key, timeout)

    @property
    def url(self) -> str:
        """Argilla's address."""
        return self.http.url

    # Users and workspaces.

    def me(self) -> Json:
        """The user that the key belongs to."""
        return record(self.http.get("/me"))

    def users(self) -> list[Json]:
        """Every user; only for owners."""
        return items(self.http.get("/users"))

    def usernames(self) -> dict[str, str]:
        """User names by id, as far as the key's user sees them."""
        try:
            users = self.users()
        except ToolRefusedError:
            users = [self.me()]
        return {str(user["id"]): str(user["username"]) for user in users}

    def create_user(self, username: str, password: str, role: str = "annotator") -> Json:
        """A new user."""
        content = {
            "first_name": username,
            "username": username,
            "password": password,
            "role": role,
        }
        return record(self.http.once("POST", "/users", content))

    def workspaces(self) -> list[Json]:
        """The workspaces that the user sees."""
        return items(self.http.get("/me/workspaces"))

    def create_workspace(self, name: str) -> Json:
        """A new workspace."""
        return record(self.http.once("POST", "/workspaces", {"name": name}))

    def workspace_users(self, workspace_id: str) -> list[Json]:
        """The members of a workspace."""
        return items(self.http.get(f"/workspaces/{workspace_id}/users"))

    def add_to_workspace(self, workspace_id: str, user_id: str) -> None:
        """Make a user a member."""
        self.http.once("POST", f"/workspaces/{workspace_id}/users", {"user_id": user_id})

    # Datasets.

    def datasets(self) -> list[Json]:
        """The datasets that the user sees."""
        return items(self.http.get("/me/datasets"))

    def dataset(self, dataset_id: str) -> Json:
        """A dataset's own fields: name, status, guidelines, distribution, metadata."""
        return record(self.http.get(f"/datasets/{dataset_id}"))

    def create_dataset(self, **fields: Any) -> Json:
        """A new draft, to be given fields and questions and then published."""
        return record(self.http.once("POST", "/datasets", fields))

    def update_dataset(self, dataset_id: str, **fields: Any) -> Json:
        """Change a dataset. Argilla then goes through the states of all of its records."""
        return record(self.http.repeat("PATCH", f"/datasets/{dataset_id}", fields))

    def delete_dataset(self, dataset_id: str) -> None:
        """Delete a dataset with everything in it."""
        self.http.repeat("DELETE", f"/datasets/{dataset_id}")

    def publish(self, dataset_id: str) -> None:
        """Open a draft to annotators; from then on its labels are fixed."""
        self.http.repeat("PUT", f"/datasets/{dataset_id}/publish")

    def fields(self, dataset_id: str) -> list[Json]:
        """What a record is made of."""
        return items(self.http.get(f"/datasets/{dataset_id}/fields"))

    def create_field(self, dataset_id: str, **fields: Any) -> Json:
        """Add a field to a draft."""
        return record(self.http.once("POST", f"/datasets/{dataset_id}/fields", fields))

    def questions(self, dataset_id: str) -> list[Json]:
        """What annotators are asked."""
        return items(self.http.get(f"/datasets/{dataset_id}/questions"))

    def create_question(self, dataset_id: str, **fields: Any) -> Json:
        """Add a question to a draft."""
        return record(self.http.once("POST", f"/datasets/{dataset_id}/questions", fields))

    def metadata_properties(self, dataset_id: str) -> list[Json]:
        """What records can be filtered and sorted by."""
        return items(self.http.get(f"/me/datasets/{dataset_id}/metadata-properties"))

    def create_metadata_property(self, dataset_id: str, **fields: Any) -> Json:
        """Add one; possible after publishing too."""
        path = f"/datasets/{dataset_id}/metadata-properties"
        return record(self.http.once("POST", path, fields))

    def progress(self, dataset_id: str) -> Json:
        """How many records there are and how many are complete, as the search engine counts."""
        return record(self.http.get(f"/datasets/{dataset_id}/progress"))

    # Records.

    def records(self, dataset_id: str, include: Sequence[str] = ()) -> Iterator[Json]:
        """Every record, oldest first, one page in memory at a time.

        ``include``: ``responses``, ``suggestions``. The list is paged by position, so records that
        are deleted meanwhile move others to pages already read: it is read again for those.
        """
        seen: set[str] = set()
        for _ in range(PASSES):
            total = 0
            for page, total in self._pages(dataset_id, include):  # noqa: B007 - the last is used
                new = [row for row in page if row["id"] not in seen]
                seen.update(row["id"] for row in new)
                yield from new
            if len(seen) >= total:
                return
        raise ToolUnreachableError(
            "Records were deleted in Argilla again and again while the dataset was read. Try again "
            "when that has ended."
        )

    def _pages(self, dataset_id: str, include: Sequence[str]) -> Iterator[tuple[list[Json], int]]:
        offset = 0
        while True:
            params: Json = {"offset": offset, "limit": PAGE}
            if include:
                params["include"] = ",".join(include)
            answer = record(self.http.get(f"/datasets/{dataset_id}/records", params))
            yield answer["items"], answer["total"]
            offset += PAGE
            if offset >= answer["total"]:
                return

    def record(self, record_id: str) -> Json | None:
        """One record with suggestions and responses, ``None`` where there is none."""
        try:
            return record(self.http.get(f"/records/{record_id}"))
        except NotFoundError:
            return None

    def upsert(self, dataset_id: str, records: Sequence[Json]) -> list[Json]:
        """Create or change at most 500 records, all of them or none.

        A record is known by its ``id`` or ``external_id``; keys that are left out stay as they
        are, but ``metadata`` and ``fields`` are replaced as a whole.
        """
        content = {"items": list(records)}
        return items(self.http.repeat("PUT", f"/datasets/{dataset_id}/records/bulk", content))

    def update_record(self, record_id: str, **fields: Any) -> Json:
        """Change one record; ``suggestions`` replaces all that it has."""
        return record(self.http.repeat("PATCH", f"/records/{record_id}", fields))

    def delete_suggestion(self, suggestion_id: str) -> None:
        """Take a suggestion back."""
        self.http.repeat("DELETE", f"/suggestions/{suggestion_id}")

    def delete_records(self, dataset_id: str, record_ids: Sequence[str]) -> None:
        """Delete at most 100 records with what annotators made of them."""
        ids = {"ids": ",".join(record_ids)}
        self.http.repeat("DELETE", f"/datasets/{dataset_id}/records", None, ids)

    def search(
        self,
        dataset_id: str,
        query: Json,
        *,
        limit: int = PAGE,
        offset: int = 0,
        as_annotator: bool = False,
    ) -> tuple[list[Json], int]:
        """A page of the records that a query finds, and how many there are.

        ``as_annotator`` asks as the annotation page does: without a ``sort``, in a random order of
        the user's own, and response filters are about the user's own responses.
        """
        scope = "/me" if as_annotator else ""
        path = f"{scope}/datasets/{dataset_id}/records/search"
        params = {"limit": limit, "offset": offset}
        answer = record(self.http.repeat("POST", path, query, params))
        return [item["record"] for item in answer["items"]], int(answer["total"])

    # Responses: what annotators do.

    def respond(self, record_id: str, status: str, values: Json) -> Json:
        """Make a response as this user: ``submitted``, ``discarded`` or ``draft``.

        ``values`` may be empty and never null: Argilla 2.8 stores a null, and then can read the
        record no more.
        """
        content = {"status": status, "values": values}
        return record(self.http.once("POST", f"/records/{record_id}/responses", content))

    def update_response(self, response_id: str, status: str, values: Json) -> Json:
        """Change a response of this user."""
        content = {"status": status, "values": values}
        return record(self.http.repeat("PUT", f"/responses/{response_id}", content))

    def delete_response(self, response_id: str) -> None:
        """Take a response back."""
        self.http.repeat("DELETE", f"/responses/{response_id}")

    # Webhooks.

    def webhooks(self) -> list[Json]:
        """All webhooks of this Argilla; only for owners."""
        return items(self.http.get("/webhooks"))

    def create_webhook(self, **fields: Any) -> Json:
        """Add a webhook; its ``secret`` is in the answer."""
        return record(self.http.once("POST", "/webhooks", fields))

    def update_webhook(self, webhook_id: str, **fields: Any) -> Json:
        """Change a webhook."""
        return record(self.http.repeat("PATCH", f"/webhooks/{webhook_id}", fields))

    def delete_webhook(self, webhook_id: str) -> None:
        """Remove a webhook."""
        self.http.repeat("DELETE", f"/webhooks/{webhook_id}")


def record(content: Any) -> Json:
    """A JSON object, or a clear error where something else came back."""
    if not isinstance(content, dict):
        raise ToolRejectedError(
            "Argilla answered with something else than a JSON object. Check that ARGILLA_API_URL "
            "is Argilla's own address."
        )
    return content


def items(content: Any) -> list[Json]:
    """The ``items`` of a list."""
    return list(record(content)["items"])
