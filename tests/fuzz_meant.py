"""Messages at random whose meaning is known: what is read of them, and what a room makes of them.

    python -m tests.fuzz_meant --reading 1000000 --room 20000 --seed 1

A message is made from its meaning: a command, an answer, a vote, talk, or junk; then it is dressed
as phones and people dress it. The model knows what it may do at most, and whether somebody must be
answered. It says nothing of how: that stands in tests/corpus. Exit 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import logging
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

sys.path.insert(0, str(Path(__file__).parent.parent / "plugin"))

from sluice.text.message import plain
from sluice.typed import read
from sluice.typed.needs import AskFirst, Missing, NeedsMedia, NeedsTopic
from sluice.typed.parse import NeedsRoom, NotRun, canonical, parse
from tests.corpus.play import LEAN, OURS, Brisk, Room, Spy
from tests.stage.stage import on_stage

Json = dict[str, Any]
SERVER = "example.org"
BOT = f"@sluice:{SERVER}"
A_ROOM = 40  # messages in one
MOST = 200e-6  # seconds to read one, on the median
KNOWN = ("spam", "max", "sina", "svea", "nora")
LOOKS = ("status", "pending", "help", "version")
PEOPLE = {"bo": 5, "cy": 4, "ana": 3, "dan": 2, "hal": 1, "eve": 2}
TALK = (
    "good morning", "who is on call tonight?", "I think it is the same person as yesterday",
    "the bot is slow today", "see you at eight", "did you type !status?", "1, 2, 3", "…", "🎉",
    "> !adduser mallory\n\nlike this", "`!pause` stops it", "/me waves",
    "https://example.org/!adduser", "we had 3 reports, all about the same room", "\u200b",
)  # fmt: skip
YES = ("yes", "Yes!", "ok", "approve", "👍", "✅", "ja", "oui", "да")
NO = ("no", "No.", "nope", "deny", "👎", "❌", "nein", "non", "нет", "no, I know him", "🚫 wrong")
DOUBT = (
    "wait", "not yet", "?", "hmm", "yes, but not now", "no problem", "tak", "who is that?",
    "yes please, at once", "let me look", "approve the other one", "no idea", "ok if ana agrees",
)  # fmt: skip
SLIPS = (
    "!aprove {n}", "!approved {n}", "!yes {n}", "!ok {n}", "!resum", "!resumed", "!trsut cy",
    "!glas deactivate max reason x", "!reslove {n} done", "!accept {n}", "!unpause", "!trusted bo",
)  # fmt: skip
OTHERS = (
    "!ban {u}", "!kick {u} casino", "!mute {u}", "!delete {u}", "!remind me at nine", "!undo",
    "!frobnicate", "!deactivte {u} reason casino", "!deactivated {u} reason x", "!deactivate all",
    "!adduser", "!deactivate", "!purge", "!approve", "!deny", "!why", "!who", "!registration of",
)  # fmt: skip
PASSWORDS = ("SecurePassword123", "Hunter2hunter", "Pa$$w0rd!x", "Tr0ub4dor&3", "Sommer2024!")
JUNK: tuple[Any, ...] = (
    None, 0, -1, 2.5, True, "", "!", "x" * 3000, [], {}, [[]], {"event_id": []}, "\ud83d",
    {"rel_type": "m.replace", "event_id": "$said"}, {"m.in_reply_to": {"event_id": 7}},
    {"rel_type": "m.thread", "event_id": "$card"}, "m.text", "org.matrix.custom.html", "<b>!me",
)  # fmt: skip


@frozen
class Meant:
    """A message with what it may do at most.

    runs, votes: of these no more than one. heard: True if it must be answered, False if it must
    be nothing at all, None if either will do. secret: what may never be repeated.
    offers: what a tap on the question may do.
    """

    content: Json
    kind: str = "m.room.message"
    runs: tuple[str, ...] = ()
    votes: tuple[str, ...] = ()
    heard: bool | None = None
    offers: tuple[str, ...] = ()
    secret: str = ""
    reads: str = ""  # the invocation that must be read, if any is


def text(body: str, **more: Any) -> Json:
    return {"msgtype": "m.text", "body": body, **more}


def reply(body: str, to: str) -> Json:
    return text(body, **{"m.relates_to": {"m.in_reply_to": {"event_id": to}}})


# --- how it is dressed


def dressed(rng: random.Random, line: str, *, loud: bool = True) -> str:
    """The same command as phones and people write it. loud: what is asked back may be added."""
    word, _, rest = line.partition(" ")
    word = rng.choice((word, word, word.capitalize(), word.upper()))
    front = rng.choice(("!", "!", "!", "! ", "！", "\u200b!", "!\u00a0", "  !", "\ufeff！"))
    behind = rng.choice(("", "", "", "", ":", ",", "?")) if loud else ""
    gap = rng.choice((" ", " ", " ", "  ", "\u00a0"))
    end = rng.choice(("", "", "", ".", " ", "\n", "!", "\u200b")) if " reason " not in rest else ""
    return f"{front}{word}{behind}{gap if rest else ''}{rest}{end}"


def account(rng: random.Random, name: str) -> str:
    full = f"@{name}:{SERVER}"
    forms = (
        name, f"@{name}", full, f"<{full}>", f"`{name}`", f"“{name}”", name.capitalize(),
        f"https://matrix.to/#/{full}", f"matrix:u/{name}:{SERVER}", f"[{name}](https://matrix.to/#/{full})",
        f"https://matrix.to/#/%40{name}%3A{SERVER}?via={SERVER}", f"**{full}**",
    )  # fmt: skip
    return rng.choice(forms)


def entries(rng: random.Random, names: Sequence[str]) -> str:
    """A list below the command line."""
    sign = rng.choice(("", "- ", "* ", "• ", "{n}. ", "{n}) ", "  - "))
    end = rng.choice(("", "", ",", ";"))
    fence = rng.choice(("", "", "```\n", "~~~\n")) if not sign else ""
    form = rng.choice(("{}", "`{}`", "**{}**", "@{}:example.org"))
    found = [f"{sign.format(n=n)}{form.format(name)}{end}" for n, name in enumerate(names, 1)]
    return fence + "\n".join(found) + ("\n" + fence.strip() if fence else "")


# --- what is meant


class Writer:
    """Makes messages. Names of accounts to be made are never used twice."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self._made = rng, 0

    def new(self) -> str:
        self._made += 1
        return "u" + "".join(chr(ord("a") + int(digit)) for digit in f"{self._made:06}") + "x"

    def _command(self, body: str, line: str) -> Meant:
        return Meant(text(body), runs=(line,), offers=(line,), heard=True, reads=line)

    def looks(self) -> Meant:
        line = self.rng.choice(LOOKS)
        return self._command(dressed(self.rng, line), line)

    def who(self) -> Meant:
        name = self.rng.choice(KNOWN)
        return self._command(dressed(self.rng, f"who {account(self.rng, name)}"), f"who {name}")

    def makes(self) -> Meant:
        name = self.new()
        body = dressed(self.rng, f"adduser {account(self.rng, name)}")
        return self._command(body, f"adduser {name}")

    def makes_several(self) -> Meant:
        names = [self.new() for _ in range(self.rng.randint(2, 5))]
        body = f"!adduser{self.rng.choice(('', ':'))}\n{entries(self.rng, names)}"
        return self._command(body, f"adduser {' '.join(names)}")

    def resets(self) -> Meant:
        name = self.rng.choice(KNOWN)
        body = dressed(self.rng, f"resetpw {account(self.rng, name)}")
        return self._command(body, f"resetpw {name}")

    def destroys(self) -> Meant:
        name, why = self.rng.choice(KNOWN), self.rng.choice(("casino links", "spam wave again"))
        line = f"deactivate {account(self.rng, name)} reason{self.rng.choice(('', ':'))} {why}"
        return self._command(dressed(self.rng, line), f"deactivate {name} reason {why}")

    def password(self) -> Meant:
        name, secret = self.new(), self.rng.choice(PASSWORDS)
        between = self.rng.choice((" ", "  ", "\n", ":", " password ", " pw: ", " / "))
        return Meant(text(f"!adduser {name}{between}{secret}"), heard=True, secret=secret,
                     offers=(f"adduser {name}",))  # fmt: skip

    def slips(self) -> Meant:
        body = self.rng.choice(SLIPS).format(n=self.rng.randint(1, 3))
        return Meant(text(body), heard=True)

    def others(self) -> Meant:
        name = self.rng.choice(KNOWN)
        body = self.rng.choice(OTHERS).format(u=account(self.rng, name))
        offers = tuple(f"deactivate {name} reason {why}" for why in ("casino", "x"))
        return Meant(text(body), heard=True, offers=(*offers, "registration off"))

    def talk(self) -> Meant:
        return Meant(text(self.rng.choice(TALK)), heard=False)

    def talk_back(self) -> Meant:
        said = self.rng.choice((*TALK[:5], *YES, *NO, *DOUBT))
        return Meant(reply(said, "$said"), heard=False)

    def vote(self) -> Meant:
        side, said = self.rng.choice((("yes", YES), ("no", NO)))
        return Meant(reply(self.rng.choice(said), "$card"), votes=(side,), heard=None)

    def doubt(self) -> Meant:
        content = reply(self.rng.choice(DOUBT), "$card")
        return Meant(content, votes=("no",), offers=("yes", "no"))

    def plain_vote(self) -> Meant:
        return Meant(text(self.rng.choice((*YES, *NO))), offers=("yes", "no"))

    def thread(self) -> Meant:
        relation = {"rel_type": "m.thread", "event_id": "$card", "is_falling_back": True}
        relation["m.in_reply_to"] = {"event_id": "$last"}
        side, said = self.rng.choice((("yes", YES), ("no", NO), ("no", DOUBT)))
        content = text(self.rng.choice(said), **{"m.relates_to": relation})
        return Meant(content, votes=(side,), offers=("yes", "no"))

    def by_number(self) -> Meant:
        number = self.rng.randint(1, 4)
        side, word = self.rng.choice((("yes", "approve"), ("no", "deny")))
        end = self.rng.choice(("", "!", ".", "", ":"))
        return Meant(text(f"!{word} {self.rng.choice(('', '#'))}{number}{end}"), heard=True,
                     votes=(f"{side} {number}",))  # fmt: skip

    def tap(self) -> Meant:
        key = self.rng.choice(("✅", "👍", "👍🏽", "❌", "👎", "🚫", "❤️", "1️⃣", "🎉", "x" * 70, ""))
        relation = {"rel_type": "m.annotation", "event_id": "$card", "key": key}
        sides = {"✅": "yes", "👍": "yes", "❌": "no", "👎": "no", "🚫": "no"}
        votes = (sides[key[:1]],) if key[:1] in sides else ()
        return Meant({"m.relates_to": relation}, "m.reaction", votes=votes)

    def caption(self) -> Meant:
        line = self.rng.choice((*LOOKS, "adduser mallory", "deactivate max reason x", "approve 1"))
        content = {"msgtype": "m.image", "body": f"!{line}", "url": "mxc://example.org/a"}
        if self.rng.random() < 0.3:
            return Meant({**content, "body": f"!{line}.png"}, heard=False)
        runs = (line,) if line in LOOKS else ()
        return Meant({**content, "filename": "a.png"}, runs=runs, heard=True, offers=(line,))

    def edit(self) -> Meant:
        inner = self.rng.choice((self.looks, self.destroys, self.makes, self.talk, self.others))()
        new, body = inner.content, inner.content["body"]
        relation = {"rel_type": "m.replace", "event_id": "$said"}
        content = {**new, "body": f"* {body}", "m.new_content": new, "m.relates_to": relation}
        return Meant(content, runs=inner.runs, offers=inner.offers)

    def junk(self) -> Meant:
        keys = ("msgtype", "body", "format", "formatted_body", "m.relates_to", "m.new_content",
                "m.mentions", "filename", "url", "info", "org.sluicebot.out")  # fmt: skip
        content = {key: self.rng.choice(JUNK) for key in self.rng.sample(keys, 5)}
        if self.rng.random() < 0.5:
            content = {**content, "msgtype": "m.text", "body": self.rng.choice(("!status", "hm"))}
        return Meant(content, runs=("status",), offers=("status",))

    KINDS = (
        (looks, 6), (who, 6), (makes, 8), (makes_several, 5), (resets, 4), (destroys, 9),
        (password, 5), (slips, 6), (others, 8), (talk, 8), (talk_back, 4), (vote, 5), (doubt, 5),
        (plain_vote, 4), (thread, 4), (by_number, 5), (tap, 5), (caption, 5), (edit, 6), (junk, 4),
    )  # fmt: skip

    def message(self) -> Meant:
        makers: Sequence[Callable[[Writer], Meant]] = [maker for maker, _ in self.KINDS]
        return self.rng.choices(makers, [weight for _, weight in self.KINDS])[0](self)


# --- through reading and parsing


def once(meant: Meant) -> str:
    """What was wrong with reading it; "" if nothing was."""
    typed = read.read(meant.content, bot=BOT)
    if typed is None:
        return "was not read" if meant.reads else ""
    if isinstance(typed, NotRun):
        return ""
    try:
        made = parse(typed, server=SERVER, rooms={}, now=1.7e9)
    except (Missing, NeedsMedia, NeedsTopic, NeedsRoom, AskFirst):
        return ""
    except NotRun as no:
        said = "".join(plain(line) for line in no.lines)
        if meant.secret and meant.secret.lower() in said.lower():
            return f"repeats what may be a password: {said}"
        return f"was refused: {said}" if meant.reads else ""
    got = normal(canonical(made) + (f" reason {made.reason}" if made.reason else ""))
    if meant.secret:
        return f"was read as {got!r}"
    allowed = {meant.reads} if meant.reads else {*meant.runs, *meant.votes}
    is_own = got.partition(" ")[0] in ("approve", "deny", "help", "can", "log", "why")
    if meant.reads:
        return "" if got == meant.reads else f"was read as {got!r}"
    return f"was read as {got!r}" if meant.heard is False and got not in allowed | {is_own} else ""


def normal(line: str) -> str:
    return OURS.sub(r"\1", line).rstrip(" .!\u200b")


def reading(runs: int, seed: int) -> list[str]:
    """Reads so many; what was wrong."""
    writer, wrong, took = Writer(random.Random(seed)), [], []
    for number in range(runs):
        meant = writer.message()
        if meant.kind != "m.room.message":
            continue
        begin = time.perf_counter()
        try:
            read.read(meant.content, bot=BOT)
            took.append(time.perf_counter() - begin)
            why = once(meant)
        except Exception as error:
            why = f"raised {error!r}"
        if why:
            wrong.append(f"seed {seed}, message {number}: {meant.content!r} {why}")
    median = statistics.median(took)
    print(f"{len(took):,} read, {median * 1e6:.0f} µs on the median, {len(wrong)} wrong")
    if median > MOST:
        wrong.append(f"{median * 1e6:.0f} µs on the median")
    return wrong


# --- through a room


@define
class Model:
    """What may happen next in one room."""

    room: Room
    rng: random.Random
    offered: dict[str, set[str]] = field(factory=dict)  # what a tap of somebody may do
    wrong: list[str] = field(factory=list)

    async def one(self, meant: Meant) -> None:
        who = self.rng.choices(list(PEOPLE), list(PEOPLE.values()))[0]
        try:
            content = self.room.placed(meant.content)
        except IndexError:
            return  # what it is about is not there yet
        card = self._number(content)
        asked = bool(self.room.questions(who))
        await self.room.sends(who, meant.kind, content)
        seen = self.room.seen()
        self._judge(who, meant, seen, card, asked=asked)
        self.offered.setdefault(who, set()).update(meant.offers, meant.runs, meant.votes)
        if (question := self.room.question(seen)) is not None and self.rng.random() < 0.4:
            other = self.rng.choice([name for name in PEOPLE if name != who])
            if self._did(await self.room.tap(other, question)):
                self.wrong.append(f"a tap of {other} counted on the question to {who}")
            did = self._did(await self.room.tap(who, question))
            if too_much := [each for each in did if not self._may(each, self.offered[who])]:
                self.wrong.append(f"{who} {meant.content!r}: a tap did {too_much}")

    def _number(self, content: Json) -> str:
        """The request that its relation is about."""
        relation = content.get("m.relates_to")
        about = self.room.number_of(str(relation)) if isinstance(relation, dict) else ""
        return f" {about}" if about else ""

    def _did(self, seen: Any) -> list[str]:
        votes = [v for v in seen.votes if not v.startswith(("withdrawn", "cancelled"))]
        return [*(normal(line) for line in seen.ran), *votes]

    def _may(self, did: str, allowed: set[str]) -> bool:
        return any(did == each or did.startswith(f"{each} ") for each in allowed)

    def _judge(self, who: str, meant: Meant, seen: Any, card: str, *, asked: bool) -> None:
        did, said = self._did(seen), seen.text
        here = f"{who} {meant.kind} {meant.content!r}: did {did}, said {said[:200]!r}"
        votes = {vote if vote[-1:].isdigit() else vote + card for vote in meant.votes}
        allowed = {*meant.runs, *votes} | ({"*"} if asked and meant.heard is None else set())
        if who == "eve":
            if did or seen.said:
                self.wrong.append(f"{here}: of somebody without a role")
            return
        if "*" not in allowed and [each for each in did if not self._may(each, allowed)]:
            self.wrong.append(f"{here}: nobody meant that")
        if meant.secret and meant.secret.lower() in said.lower():
            self.wrong.append(f"{here}: repeats what may be a password")
        if meant.heard and not seen.said and not did:
            self.wrong.append(f"{here}: silence")
        if meant.heard is False and not asked and (did or seen.said):
            self.wrong.append(f"{here}: was talk")


def one_room(seed: int) -> list[str]:
    rng = random.Random(seed)
    writer = Writer(rng)

    async def scene(stage: Any) -> list[str]:
        with Spy() as spy:
            room = Room(stage, spy)
            await room.begin([f"(there are {', '.join(KNOWN)})", "dan: hello",
                              "bo: !deactivate max reason sold"])  # fmt: skip
            model = Model(room, rng)
            for _ in range(A_ROOM):
                await model.one(writer.message())
            return [f"seed {seed}: {each}" for each in model.wrong]

    try:
        return list(on_stage(scene, kind=Brisk, policy=LEAN))
    except Exception as error:
        return [f"seed {seed}: {error!r}"]


def rooms(messages: int, seed: int) -> list[str]:
    wrong = [each for n in range(-(-messages // A_ROOM)) for each in one_room(seed * 100_000 + n)]
    print(f"{messages:,} through a room, {len(wrong)} wrong")
    return wrong


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--reading", type=int, default=100_000)
    options.add_argument("--room", type=int, default=2_000)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    logging.disable()
    wrong = [*reading(chosen.reading, chosen.seed), *rooms(chosen.room, chosen.seed)]
    for each in wrong[:100]:
        print(each)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
