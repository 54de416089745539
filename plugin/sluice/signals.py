"""When a signal that ends the process may be raised."""

from __future__ import annotations

import asyncio
import signal


def raise_between_steps() -> None:
    """Lets SIGINT and SIGTERM end the event loop between two steps of it, not within one.

    maubot and mautrix leave both to Python's handler, which raises KeyboardInterrupt wherever the
    interpreter is (maubot 0.6 standalone/__main__.py, mautrix 0.21 util/program.py). In a
    coroutine that others wait for, it goes on to them, out of maubot's own stop() too, and the
    process hangs on the thread of its database. A handler that somebody else has set stays.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is signal.default_int_handler:
            loop.add_signal_handler(number, signal.default_int_handler, number, None)
