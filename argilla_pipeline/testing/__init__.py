"""What tests and the demo need to run a real Argilla on one machine."""
