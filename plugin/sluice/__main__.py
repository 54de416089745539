"""`python -m sluice …`, and `python sluice-VERSION.mbp …`: says so plainly where maubot is not."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """The exit code. argv: without the program's name."""
    try:
        from . import offline

        code = offline.main(argv)
        sys.stdout.flush()
    except ModuleNotFoundError as missing:
        print(
            f"{missing.name} is not installed here: use the Python that maubot is installed in, "
            "for example venv/bin/python. (python3 -m venv venv && venv/bin/pip install maubot)",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:  # whoever read it has seen enough, `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
