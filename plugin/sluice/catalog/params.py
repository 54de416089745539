"""Parameters that several commands share."""

from __future__ import annotations

from ..model.command import Param, Type

ACCOUNT = Param("user", Type.USER, question="Which account?", replied=True)
ACCOUNT_LIST = Param("user", Type.USER, many=True, question="Which account?", replied=True)
ROOM = Param("room", Type.ROOM, question="Which room?", replied=True)
FILE = Param("mxc", Type.MXC, question="Which file?", replied=True)
FILE_LIST = Param("mxc", Type.MXC, many=True, question="Which file?", replied=True)
SERVER = Param("server", Type.SERVER, question="Which server?")
REQUEST = Param("request", Type.COUNT, question="Which request?", replied=True)
LAST = Param("last", Type.DURATION, required=False)


def flag(name: str) -> Param:
    return Param(name, Type.SWITCH, required=False, flag=True)


def maybe(name: str, type: Type) -> Param:
    return Param(name, type, required=False)
