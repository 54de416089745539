"""A notice of the server, as it is kept while messages tell it."""

from __future__ import annotations

from attrs import frozen


@frozen
class Noticed:
    """kind: `registered`, `password_changed`, `self_deactivated` or `report`. account: whom it is
    about. told: the key of the message that tells it. at: when the server said it.

    Of a report: reporter, room, message ("" where they may not be named), reason ("" without).
    """

    event_id: str
    kind: str
    at: float
    account: str
    told: str = ""
    reporter: str = ""
    room: str = ""
    message: str = ""
    reason: str = ""
