"""Which fences of this run are out, whether one is wanted, and who waits for an echo.

A fence is a harmless line with a nonce; its echo shows that everything sent before it has been
processed (`correlator` has the theory). Only `heartbeat` sends them, so that there are never
more than it allows; everybody else says that one is wanted, and waits.
"""

from __future__ import annotations

import asyncio
import secrets

MOST = 60.0  # seconds between two while nothing is proved, at most


class Fences:
    def __init__(self) -> None:
        self.bell = asyncio.Event()  # rung for `heartbeat`: one is wanted, or one has echoed
        self.wanted = False  # send one; those that are out do not count
        self.doubt = False  # it is wanted because something may have gone wrong
        self._spoilt = 0  # echoes in a row that prove nothing
        self._again = False  # the newest is one of them
        self._echoed = False  # one that was sent in doubt, since `heartbeat` looked last
        self._sent = 0
        self._out: dict[str, tuple[int, float, bool]] = {}  # nonce -> (number, sent, in doubt)
        self._waiting: list[tuple[int, asyncio.Future[bool]]] = []

    def suspect(self) -> None:
        """The next one is sent because something may have gone wrong."""
        self.doubt = True

    def want(self) -> None:
        """Something may have gone wrong that fences sent so far cannot tell."""
        self.wanted = self.doubt = True
        self.bell.set()

    def spoil(self) -> None:
        """The echo of the newest may be that of a copy."""
        self._spoilt += not self._again
        self._again = True

    def again(self, since: float) -> bool:
        """Whether another one is due after an echo that proves nothing. Whoever copies them all
        gets fewer and fewer. since: seconds since the last was sent."""
        return self._again and since >= min(2.0 ** (self._spoilt - 1), MOST)

    async def echo(self) -> bool:
        """Wants a fence, without any doubt, and whether it echoed; False as soon as the other
        side counts as silent."""
        waiting: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._sent, waiting))
        self.wanted = True
        self.bell.set()
        return await waiting

    # --- for who sends them

    def new(self, now: float) -> str:
        """The nonce of a fence that is sent now."""
        nonce = secrets.token_hex(4)
        self._sent += 1
        self._out[nonce] = (self._sent, now, self.doubt)
        self.wanted = self.doubt = self._again = False
        return nonce

    def failed(self, nonce: str) -> None:
        """It may not be in the room."""
        *_, self.doubt = self._out.pop(nonce, (0, 0.0, True))
        self.wanted = True

    def lost(self) -> None:
        """The connection broke: those that are out may never echo."""
        self._out.clear()
        self.want()

    def echoed(self) -> bool:
        """Whether one that was sent in doubt has echoed since this was asked last."""
        echoed, self._echoed = self._echoed, False
        return echoed

    @property
    def out(self) -> bool:
        return bool(self._out)

    def age(self, now: float) -> float:
        """Seconds that the oldest of them is out; 0 without one."""
        return max((now - at for _, at, _ in self._out.values()), default=0.0)

    # --- for who reads the room

    def came(self, nonce: str) -> None:
        """The echo of one: it, and those before it, are over."""
        self._spoilt = 0
        number = self._out.get(nonce, (0, 0.0, True))[0]
        over = [sent for sent in self._out.values() if sent[0] <= number]
        self._out = {key: sent for key, sent in self._out.items() if sent[0] > number}
        done = [waiting for since, waiting in self._waiting if since < number]
        self._waiting = [each for each in self._waiting if each[0] >= number]
        self._tell(done, True)
        self._echoed |= any(doubt for _, _, doubt in over)
        self.bell.set()

    def give_up(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._tell([each for _, each in waiting], False)

    def _tell(self, waiting: list[asyncio.Future[bool]], came: bool) -> None:
        for each in waiting:
            if not each.done():
                each.set_result(came)
