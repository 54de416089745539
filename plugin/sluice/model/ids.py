"""Kinds of names that must not be mixed up; at run time each is a str.

They are made where values come in: events by `model.event`, names of people by the policy.
"""

from __future__ import annotations

from typing import NewType

UserId = NewType("UserId", str)  # an account, @name:server
RoomId = NewType("RoomId", str)
EventId = NewType("EventId", str)
PersonName = NewType("PersonName", str)  # a name of the policy's `people`, else the MXID itself
