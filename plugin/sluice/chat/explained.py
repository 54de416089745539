"""What is said to a word that is no command of ours, filled in with what stood behind it."""

from __future__ import annotations

import re

from ..model.command import Typed
from ..text.message import Message, quote
from ..text.phrases import Here, ask
from ..typed.ids import account, number, small

_LONGEST = 30  # characters of an account that is named in the first line


def explained(here: Here, says: tuple[str, ...], typed: Typed) -> Message:
    """says: templates of the catalog."""
    word = typed.words[0] if typed.words else ""
    local, server = account(word, here.server)
    fits = re.fullmatch("[a-z0-9._=/+-]+", small(local)) and server in ("", here.server)
    name = small(local) if fits and len(local) <= _LONGEST else ""
    digits = number(word)
    return ask(
        *says,
        here=here,
        word=quote(typed.said, 20),
        who=name or f"@spam:{here.server}",
        name=name or "alice",
        number=digits if re.fullmatch("[0-9]{1,9}", digits) else "12",
    )
