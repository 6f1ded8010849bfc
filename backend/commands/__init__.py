"""The groups of commands below ``harambee``, one module each."""
