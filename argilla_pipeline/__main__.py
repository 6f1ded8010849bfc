"""``python -m argilla_pipeline`` is the ``harambee-argilla`` command."""

from argilla_pipeline.cli import app

app()
