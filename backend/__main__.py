"""``python -m backend`` is the ``harambee`` command."""

from backend.cli import app

app()
