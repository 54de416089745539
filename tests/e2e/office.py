"""An ops room at work: its people, its bot, and what tests of approvals do and ask all the time.

Whether something ran is never taken from what the bot says: the lines in the admin room are
counted, and accounts are asked by signing in.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from lab.bot import Bot
from lab.chat import Chat, Said, eventually
from lab.client import Client, Refused
from lab.homeserver import PASSWORD
from lab.world import World

CLOCK = Path(__file__).parent / "clock"
NewDatabase = Callable[[], Awaitable[str]]
OpenOffice = Callable[..., Awaitable["Office"]]
"""(suffix of its accounts, what `Office.open` takes behind the folder)"""

POLICY = """\
ops_rooms: ["!opsroom:example.org"]
board: false
command_max_age: 5m
policy:
  people:
    ana: "@ana:example.org"
    dan: "@dan:example.org"
    bo: ["@bo:example.org", "@bob:example.org"]
    cy: "@cy:example.org"
  roles:
    helper: {members: ["@*:example.org"], min_power: 25}
    mod: {members: [bo, cy], inherits: helper}
    owner: {members: [ana, dan], inherits: mod}
  allow:
    - {role: helper, do: "#read"}
    - {id: signup, role: mod, do: adduser, where: {user: {regex: "[a-z0-9._-]{3,20}"}}}
    - {id: cleanup, role: mod, do: [deactivate, deactivateall, resetpw, disableroom, enableroom]}
    - {role: owner, do: "*"}
  require:
    - {id: destructive, do: "#destructive", reason: true, approvals: [{from: mod, n: 1}]}
    - {id: bulk, do: deactivateall, approvals: [{from: mod, n: 1}, {from: owner, n: 1}]}
  deny:
    - {id: staff, do: ["#destructive", resetpw], where: {target: {in_role: mod}}}
  break_glass: {role: owner, max: 1, every: 1d}
"""


@dataclass
class Card:
    """A card with its number, and the event of the command that it is about."""

    number: int
    command: str
    said: Said

    @property
    def id(self) -> str:
        return self.said.id

    @property
    def what(self) -> str:
        """What is asked for, as its first line says it."""
        found = re.match(r"✋ \S+ asks: (.+) · #\d+\n", self.said.text)
        assert found, self.said.text
        return found[1]

    def line(self, start: str) -> str:
        """A pattern of the first line, whole, of what is said of it later."""
        return rf"^{start}: {re.escape(self.what)} · #{self.number}(?!.)"

    def over(self, how: str) -> str:
        """A pattern of the message that says that it ended without having run: `denied by cy`."""
        return rf"^⛔ {re.escape(self.what)} {how}"

    def not_run(self, why: str) -> str:
        """The same where nobody said no."""
        return rf"^⛔ Not run: {re.escape(self.what)}, {why}"


@dataclass
class Office:
    """room: the ops room as ana sees it; admin: the admin room, likewise.

    changes: lines that differ from the text of every policy. clock: the file that moves the bot's
    clock, if it was asked for.
    """

    world: World
    room: Chat
    admin: Chat
    changes: dict[str, str]
    clock: Path | None = None
    _made: int = 0
    _cards: list[Card] = field(default_factory=list)

    @classmethod
    async def open(
        cls,
        world: World,
        folder: Path,
        policy: str = POLICY,
        *,
        clock: bool = False,
        base: str = "",
        **changes: str,
    ) -> Office:
        """The bot has started and said so. bob, bo's second account, is in the room too.

        base: where the bot finds the homeserver, if that is a fault proxy.
        """
        bob = world.people["bob"] = await world.server.account(f"bob{world.suffix}")
        await world["ana"].invite(world.ops_room, bob.mxid)
        await bob.join(world.ops_room)
        self = cls(world, await world.ops("ana"), await world.admin(), changes)
        env = {}
        if clock:
            folder.mkdir(parents=True, exist_ok=True)
            self.clock = folder / "clock"
            self.clock.write_text("0")
            env = {"PYTHONPATH": str(CLOCK), "SLUICE_TEST_CLOCK": str(self.clock)}
        await world.start_bot(folder, world.policy(policy, **changes), base=base, env=env)
        await self.room.shows("is ready")
        return self

    @property
    def bot(self) -> Bot:
        assert self.world.bot is not None
        return self.world.bot

    def later(self, seconds: float) -> None:
        """The bot's clock goes on by so much at once."""
        assert self.clock is not None, "Office.open(clock=True)"
        ahead = float(self.clock.read_text()) + seconds
        beside = self.clock.with_suffix(".new")
        beside.write_text(str(ahead))
        beside.replace(self.clock)

    # --- people

    async def account(self, name: str = "spam") -> Client:
        """Somebody new on the server, to be acted upon."""
        self._made += 1
        return await self.world.server.account(f"{name}{self._made}{self.world.suffix}")

    async def says(self, who: str, text: str) -> str:
        return await self.world[who].say(self.world.ops_room, text)

    async def asks(self, who: str, text: str, within: float = 10) -> Said:
        """Says something, and returns the bot's reply to it."""
        return await self.room.answer_to(await self.says(who, text), within)

    async def answer(self, event: str, to: str) -> Said:
        """What the bot answers to an edit or a reply: a reply to the command that it is about."""
        return await self.room.wait(
            lambda said: said.sender == self.bot.mxid and said.reply_to == to,
            "an answer",
            after=event,
        )

    async def replies(self, who: str, to: str, text: str) -> str:
        return await self.world[who].reply(self.world.ops_room, to, text)

    async def taps(self, who: str, event: Card | Said | str, key: str = "✅") -> str:
        target = event if isinstance(event, str) else event.id
        return await self.world[who].react(self.world.ops_room, target, key)

    async def edits(self, who: str, event: str, text: str) -> str:
        return await self.world[who].edit(self.world.ops_room, event, text)

    async def removes(self, who: str, event: str) -> str:
        return await self.world[who].redact(self.world.ops_room, event)

    async def card(self, who: str, text: str) -> Card:
        """The card that this command leads to."""
        command = await self.says(who, text)
        return await self.card_behind(command)

    async def card_behind(self, event: str, command: str = "") -> Card:
        said = await self.room.wait(
            lambda said: bool(re.match(r"✋ \S+ asks: ", said.text)) and not said.edits,
            "a card",
            after=event,
        )
        found = re.search(r"· #(\d+)$", said.text, re.M)
        assert found, said.text
        card = Card(int(found[1]), command or event, said)
        self._cards.append(card)
        return card

    # --- what became of it

    async def shows(self, pattern: str, within: float = 10) -> Said:
        """A new message of the bot; `says_of` has what it changes."""
        return await self.room.wait(
            lambda said: (
                said.sender == self.bot.mxid
                and not said.edits
                and bool(re.search(pattern, said.text))
            ),
            f"“{pattern}”",
            within=within,
        )

    async def done(self, card: Card, within: float = 10) -> Said:
        """The result of a request that deactivates: its whole first line."""
        word, what = card.what.split(maxsplit=1)
        if word == "deactivateall":
            what = "1 account" if what.startswith("@") else what
            said = f"{what} deactivated"
        else:
            said = f"Deactivated {what}"
        return await self.shows(rf"^✅ {re.escape(said)} · #{card.number}(?!.)", within)

    async def says_of(self, card: Card, pattern: str, within: float = 10) -> Said:
        """A new text of the card itself."""
        return await self.room.wait(
            lambda said: said.edits == card.id and bool(re.search(pattern, said.text)),
            f"“{pattern}” on the card of #{card.number}",
            within=within,
        )

    async def has_no_buttons(self, card: Card) -> None:
        """The bot has taken its own taps away."""
        buttons = [
            said.id
            for said in self.room.said
            if said.sender == self.bot.mxid and said.reaction[0] == card.id
        ]
        assert len(buttons) == 2, self.room.transcript()

        async def gone() -> bool:
            found = [await self.world["ana"].event(self.world.ops_room, id) for id in buttons]
            return not any(event["content"] for event in found)

        await eventually(gone, f"the buttons of #{card.number} are taken away")

    async def quiet(self) -> None:
        """Whatever was said until now is read, and has run if it can.

        One more command takes the same way behind all of it: read in order, sent in order.
        """
        answer = await self.asks("ana", "!registration")
        assert "Registration" in answer.text, answer.text

    async def lines(self, *words: str) -> list[str]:
        """The lines of the bot in the admin room that hold all of these words."""
        await self.admin.read()
        return [
            said.text
            for said in self.admin.said
            if said.sender == self.bot.mxid
            and all(re.search(rf"{re.escape(w)}(?![\w-])", said.text) for w in words)
        ]

    async def is_open(self, client: Client) -> bool:
        """Whether somebody can sign in with this account."""
        try:
            await self.world.server.login(client.localpart, PASSWORD)
        except Refused as refused:
            if refused.code != "M_USER_DEACTIVATED":
                raise
            return False
        return True

    async def ran_once(self, client: Client) -> None:
        assert len(await self.lines(client.localpart)) == 1, self.admin.transcript()
        assert not await self.is_open(client)

    async def never_ran(self, client: Client) -> None:
        await self.quiet()
        assert await self.lines(client.localpart) == [], self.admin.transcript()
        assert await self.is_open(client)

    async def heard_nothing(self, event: str) -> None:
        """The bot answered this with nothing, neither a message nor a tap."""
        await self.quiet()
        about = [
            said
            for said in self.room.said
            if said.sender == self.bot.mxid
            and event in (said.reply_to, said.reaction[0], said.edits)
        ]
        assert about == [], self.room.transcript()

    async def tidy(self) -> None:
        """Everybody is in the room again and nothing is open: the next test may begin."""
        world = self.world
        here = await world["ana"].members(world.ops_room)
        for client in world.people.values():
            if client.mxid not in here:
                await world["ana"].invite(world.ops_room, client.mxid)
                await client.join(world.ops_room)
        await self.room.read()
        over = re.compile(
            r"^\S+ (?:Done|Denied|Cancelled|Expired|Failed|Not run)\b.*· #(\d+)$", re.M
        )
        ended = {found[1] for said in self.room.said for found in over.finditer(said.text)}
        for card in self._cards:
            if str(card.number) not in ended:
                await self.says("dan", f"!cancel {card.number}")
        self._cards.clear()

    # --- the bot

    async def new_policy(self, text: str, *, by: str = "ana") -> Said:
        """Saved and read; what the bot says about it."""
        self.bot.set_policy(self.world.policy(text, **self.changes))
        event = await self.says(by, "!reload")
        return await self.room.wait(
            lambda said: (
                said.sender == self.bot.mxid
                and bool(re.match(". (New policy|The policy|Policy )", said.text))
            ),
            "a word about the new policy",
            after=event,
        )
