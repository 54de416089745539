"""The lab's command line; see `python -m lab --help`."""

from __future__ import annotations

import asyncio
import sys

from lab.replay import replay

if sys.argv[1] == "replay":
    sys.exit(bool(asyncio.run(replay(sys.argv[2:]))))
