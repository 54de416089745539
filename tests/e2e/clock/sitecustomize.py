"""On the PYTHONPATH of a bot under test: its wall clock is ahead by what a file says, in seconds.

So that hours pass in a test. Only `time.time` is moved: waiting, timeouts and the homeserver's
clock stay as they are.
"""

import os
import time

_file, _real = os.environ["SLUICE_TEST_CLOCK"], time.time


def _ahead() -> float:
    with open(_file) as file:
        return _real() + float(file.read())


time.time = _ahead
