"""How fast Sluice is, and how large: one command, `python -m bench.run`, runs all of it."""
