"""Chat models behind the SDKs of OpenAI and Anthropic; the only package that imports these.

The SDKs' own retries are off: each attempt is paid, so each is our own decision and has its own
row in the ledger. Redirects are not followed, so that keys and texts go to the configured address
only. SDKs are imported when a client is made; that takes a second.

Requests are posted as they are: the SDKs would walk through each of them, schema and all, to
rename what is named rightly already, which costs more processor time than the rest of a call.
"""

from backend.llm.clients.anthropic_api import AnthropicBatches, AnthropicClient
from backend.llm.clients.openai_api import OpenAIBatches, OpenAIClient

__all__ = ["AnthropicBatches", "AnthropicClient", "OpenAIBatches", "OpenAIClient"]
