"""The adapter for the label-studio-ml SDK, under both of its contracts."""

import pytest

from backend.errors import ConfigurationError
from backend.label_studio.ml_sdk import Sdk, ml_backend_class

CONFIG = "<View/>"


class Base:
    """The part of the SDK's base class that the adapter touches."""

    def __init__(self, label_config=None):
        self.label_config = label_config
        self.values = {}

    def set(self, key, value):
        self.values[key] = value


def two_x_response(model_version, predictions):
    return {"model_version": model_version, "predictions": predictions}


def model(events=None, response=None):
    made = ml_backend_class(
        predict=lambda tasks, config: [{"id": task["id"], "config": config} for task in tasks],
        fit=lambda event, data: events.append((event, data)),
        version=lambda: "v7",
        sdk=Sdk(Base, response),
    )
    return made(label_config=CONFIG)


def test_old_versions_get_a_list_with_one_prediction_per_task():
    assert model().predict([{"id": 1}, {"id": 2}], login="x") == [
        {"id": 1, "config": CONFIG},
        {"id": 2, "config": CONFIG},
    ]


def test_new_versions_get_a_response_that_names_the_version():
    assert model(response=two_x_response).predict([{"id": 1}], context={}) == {
        "model_version": "v7",
        "predictions": [{"id": 1, "config": CONFIG}],
    }


def test_setup_tells_the_version():
    made = model()
    made.setup()
    assert made.values == {"model_version": "v7"}


def test_events_arrive_from_the_new_contract():
    events = []
    model(events).fit("START_TRAINING", {"project": {"id": 3}})
    assert events == [("START_TRAINING", {"project": {"id": 3}})]


def test_events_arrive_from_the_old_contract():
    events = []
    model(events).fit((), workdir="w", event="ANNOTATION_CREATED", data={"task": 1}, job_id="9")
    assert events == [("ANNOTATION_CREATED", {"task": 1})]


def test_a_missing_sdk_gives_the_install_line():
    with pytest.raises(ConfigurationError, match="pip install"):
        Sdk.installed()
