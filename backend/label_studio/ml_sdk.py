"""Harambee's predictions inside the ``label-studio-ml`` SDK, for teams that host models with it.

The SDK is not a dependency: its newest release on PyPI (1.0.9) pins a Flask of 2020 and the 2.x
line is only on GitHub. Both contracts are served: in 2.x ``predict`` returns a ``ModelResponse``
and ``fit`` takes an event and its data; in 1.0.9 ``predict`` returns a list and ``fit`` takes
completions first and the event by name. 1.0.9 reports a version of its own in ``/setup``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from backend.errors import ConfigurationError

Json = dict[str, Any]
Predict = Callable[[Sequence[Json], str], list[Json]]
"""From tasks and a labelling config to one prediction per task, in order, all of one version."""
Fit = Callable[[str, Json], None]
"""From an event's name and data to work that is started, not done, before it returns."""

INSTALL = "pip install git+https://github.com/HumanSignal/label-studio-ml-backend"


@dataclass(frozen=True, slots=True)
class Sdk:
    """What harambee needs of the SDK: its base class, and from 2.x on its response class."""

    base: type[Any]
    response: Callable[..., Any] | None

    @classmethod
    def installed(cls) -> Sdk:
        """The SDK in this environment.

        Raises :class:`~backend.errors.ConfigurationError` where there is none.
        """
        model = optional_module("label_studio_ml.model")
        if model is None:
            raise ConfigurationError(
                "This adapter needs the label-studio-ml SDK, which is not installed. Install it "
                f"with: {INSTALL} (or connect harambee itself, which needs no SDK)"
            )
        response = optional_module("label_studio_ml.response")
        return cls(model.LabelStudioMLBase, response.ModelResponse if response else None)


def ml_backend_class(
    predict: Predict, fit: Fit, version: Callable[[], str], sdk: Sdk | None = None
) -> type[Any]:
    """A model class to hand to the SDK's ``init_app``; ``sdk`` is the installed one by default."""
    found = sdk or Sdk.installed()

    class HarambeeModel(found.base):  # type: ignore[misc, name-defined]
        """The SDK's model, answered by harambee."""

        def setup(self) -> None:
            """Tell the SDK which version serves (2.x)."""
            self.set("model_version", version())

        def predict(self, tasks: Sequence[Json], context: Json | None = None, **more: Any) -> Any:
            """One prediction per task, in order, as the SDK's version wants them."""
            predictions = predict(tasks, self.label_config or "")
            if found.response is None:
                return predictions
            return found.response(model_version=version(), predictions=predictions)

        def fit(self, *arguments: Any, **named: Any) -> Json:
            """Pass an event on, whichever contract it came by."""
            fit(*read_event(arguments, named))
            return {"model_version": version()}

    return HarambeeModel


def read_event(arguments: Sequence[Any], named: Json) -> tuple[str, Json]:
    """Event and data from ``fit(event, data)`` or ``fit((), workdir, event=, data=)``."""
    if "event" in named:
        return named["event"], named.get("data") or {}
    event, data = arguments[:2]
    return event, data or {}


def optional_module(name: str) -> ModuleType | None:
    """A module, ``None`` where it is not installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        return None
