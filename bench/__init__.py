"""How fast Sluice is, and how large: one command, `python -m bench.run`, runs all of it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "plugin"))
