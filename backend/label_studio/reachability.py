"""Why Label Studio could not call this backend, read from what it said.

It calls ``/health`` and ``/setup`` whenever its record of the backend is written, and reports a
failure as a rejected request.
"""

from __future__ import annotations

from backend.errors import ToolError, ToolRejectedError, ToolUnreachableError

BLOCKED_ADDRESS = ("must not resolve to", "reserved network address")
NO_ANSWER = ("connect to ML backend", "Can't resolve hostname")
WRONG_CREDENTIALS = "authentication parameters"


def is_blocked_address(error: ToolError) -> bool:
    """Whether Label Studio refused an address in a private network."""
    return any(words in str(error) for words in BLOCKED_ADDRESS)


def explained(error: ToolError, address: str) -> ToolError:
    """The same error with cause and remedy, where what Label Studio said lets them be known."""
    said = str(error)
    if is_blocked_address(error):
        return ToolRejectedError(
            f"Label Studio refuses to call {address} because it is in a private network. Start "
            "Label Studio with ML_BLOCK_LOCAL_IP=false (for ML backends) and "
            "SSRF_PROTECTION_ENABLED=false (for webhooks); both are on by default."
        )
    if any(words in said for words in NO_ANSWER):
        return ToolUnreachableError(
            f"Label Studio cannot reach harambee at {address}. Start it with 'harambee serve' and "
            "check that this is its address as Label Studio's machine sees it "
            "(HARAMBEE_SERVER__PUBLIC_URL); inside a container localhost is the container."
        )
    if WRONG_CREDENTIALS in said:
        return ToolRejectedError(
            f"harambee at {address} does not accept the user and password that Label Studio was "
            "given. BASIC_AUTH_USER and BASIC_AUTH_PASS must be the same for this command and for "
            "the web process."
        )
    return error
