"""Harambee for teams that label in Argilla; built on ``backend``, which never imports it."""
