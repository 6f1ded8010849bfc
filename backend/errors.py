"""Everything harambee raises on purpose.

::

    HarambeeError
    ├── ConfigurationError        settings, label config or disk path that cannot work
    │   └── MissingExtraError     an optional dependency is not installed
    ├── InputError                data given to harambee that it cannot use
    │   ├── LabelConfigError      the labelling config has no usable NER control
    │   ├── CorpusError           a CoNLL or JSONL file with a line that cannot be read
    │   └── PayloadError          a malformed request from the labelling tool
    ├── ToolError                 the labelling tool could not do what was asked
    │   ├── ToolUnreachableError  connection refused, timeout, 5xx: try again later
    │   ├── ToolRefusedError      401/403: wrong or expired token, missing rights
    │   └── ToolRejectedError     4xx, or fewer items stored than were sent
    ├── ProviderError             an LLM provider could not answer
    │   └── BudgetExceededError   the next call could exceed the project's budget
    ├── ModelStoreError           a model version is missing, damaged or cannot be written
    ├── StoreError                the database could not take or give a record
    └── JobLostError              another worker has taken this job over

Messages say what happened, the likely cause and what to do, and hold no secrets.
"""

from __future__ import annotations


class HarambeeError(Exception):
    """Base of all errors that a caller may want to show to a person."""


class ConfigurationError(HarambeeError):
    """Settings that cannot work: fix them and start again."""


class MissingExtraError(ConfigurationError):
    """An optional dependency is missing; the message holds the install line."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs an optional dependency. Install it with: "
            f"pip install 'harambee[{extra}]'"
        )


class InputError(HarambeeError):
    """Data that harambee was given and cannot use."""


class LabelConfigError(InputError):
    """The labelling config has no control harambee can suggest spans for."""


class CorpusError(InputError):
    """A corpus file holds a line that cannot be read."""


class PayloadError(InputError):
    """A request body that is not what the labelling tool sends."""


class ToolError(HarambeeError):
    """The labelling tool could not do what was asked of it."""


class ToolUnreachableError(ToolError):
    """The tool did not answer, or answered with a server error; worth another try."""


class ToolRefusedError(ToolError):
    """The tool refused the credentials or the right to do this."""


class ToolRejectedError(ToolError):
    """The tool took the request and did not store what was sent."""


class ProviderError(HarambeeError):
    """An LLM provider could not be used as configured."""


class BudgetExceededError(ProviderError):
    """The next call could take the spend above the budget, so it was not made."""


class ModelStoreError(HarambeeError):
    """A model version is missing, damaged, or cannot be written."""


class StoreError(HarambeeError):
    """The database could not take or give a record."""


class JobLostError(HarambeeError):
    """The lease on a job ran out and another worker has the job now."""
