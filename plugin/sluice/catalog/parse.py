"""From typed words to an invocation; everything that can be checked without I/O is checked."""

from __future__ import annotations

from ..message import Text
from .model import Invocation, Param


class NotRun(Exception):
    """⛔ "Not run: …". lines: the first without these two words. redact: what was typed may be a
    password, so the message is removed where power allows."""

    def __init__(self, *lines: Text, redact: bool = False) -> None:
        super().__init__()
        self.lines = lines
        self.redact = redact


class Missing(Exception):
    """❓ One thing is missing: the answer is one more value of `param` for the same words."""

    def __init__(self, param: Param, question: Text) -> None:
        super().__init__()
        self.param = param
        self.question = question


class AskFirst(Exception):
    """❓ with ✅: runs only when the asker taps."""

    def __init__(self, invocation: Invocation, *lines: Text) -> None:
        super().__init__()
        self.invocation = invocation
        self.lines = lines
