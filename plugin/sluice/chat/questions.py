"""❓ One thing is missing or unclear, or must be confirmed by a tap; nothing has run yet."""

from __future__ import annotations

from collections.abc import Sequence

from ..text.message import Message, Text, code, quote
from ..text.phrases import Here, ask, codes, not_run, person
from ..text.times import span

KEYS = ("1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣")
"""The buttons of a choice, in order."""


def near_command(here: Here, typed: str, lines: Sequence[str], *, tap: bool) -> Message:
    """lines: the command lines that may have been meant.

    tap: each of them only reads, can be undone or leads to a card; else the message is edited.
    """
    none = ("No command ", quote(typed, 30), ". ")
    if not tap:
        names = codes(dict.fromkeys(line.split()[0] for line in lines[:3]))
        meant = [part if part != ", " else " or " for part in names]
        return ask((*none, "Did you mean ", *meant, "? Correct your message by editing it."))
    if len(lines) == 1:
        return ask((*none, f"Tap {KEYS[0]} for: ", here.cmd(lines[0])))
    choices: Text = ()
    for key, line in zip(KEYS, lines, strict=False):
        choices = (*choices, f" {key} ", here.cmd(line))
    return ask((*none, "Tap", *choices))


def near_account(typed: str, mxids: Sequence[str], *, tap: bool) -> Message:
    """tap: the command only reads; else the message is edited."""
    none = ("No account ", quote(typed, 40), ". ")
    if not tap:
        return ask((*none, "Close: ", *codes(mxids[:5]), ". Edit your message."))
    choices: Text = ()
    for key, mxid in zip(KEYS, mxids, strict=False):
        choices = (*choices, f" {key} ", code(mxid))
    return ask((*none, "Tap", *choices))


def why(*, votes: bool) -> Message:
    """The policy wants a reason. votes: somebody will read it before it runs."""
    who = "whoever approves will read it." if votes else "it stands in the log."
    return ask(f"Why? Reply to this message; {who}")


def open_again(mxid: str) -> Message:
    return ask(
        (code(mxid), " is deactivated. Open it again?"),
        "A new password makes it usable again, with its old rooms. "
        "Tap ✅; otherwise nothing runs.",
    )


def nothing_came(what: str) -> Message:
    """What a question becomes when nobody answered. what: name, reason, tap, answer."""
    return not_run(f"Not run: no {what} came within 5 minutes. Send the command again.")


def called_off() -> Message:
    """The asker said no to it."""
    return not_run("Not run: you said no. Was it an answer? Then send the whole command again.")


def a_command(what: str, word: str) -> Message:
    """A whole command came where a name or a reason was asked for. what: name, reason …"""
    return not_run(
        ("Not run: ", quote(word, 30), f" is a command, so I take it for no {what}. Nothing ran."),
        "Send again what you mean, all of it in one message.",
    )


def again(number: int, seconds: float, *, ended: bool) -> Message:
    """The same command, by the same person, a moment ago."""
    did = "did that" if ended else "is about that, asked for"
    return ask(
        f"#{number} {did} {span(max(seconds, 1))} ago. Again? Tap ✅; otherwise nothing more runs."
    )


def list_never_seen(what: str, most: int) -> Message:
    """what: "rooms". most: how many surely fit into one answer."""
    return ask(
        f"I have never seen this server's list of {what}. Fewer than about {most:,}? Tap ✅.",
        "A larger one stops Conduit's admin commands until it is restarted.",
    )


def list_may_be_large(here: Here, what: str, octets: float, at: float) -> Message:
    kb, when = f"{octets / 1000:.0f} kB", here.clock.dated(at)
    return ask(
        f"The list of {what} was {kb} on {when}; it may have grown. Ask for it? Tap ✅.",
        "Above 65 kB it stops Conduit's admin commands until it is restarted.",
    )


def attacker_sized(command: str) -> Message:
    """relay.attacker_sized: ask. Once a day for each command."""
    if command == "event":
        return ask(
            "Look at an event? Tap ✅. An event can be so large that this stops Conduit's admin",
            "commands until Conduit is restarted. I ask once a day.",
        )
    return ask(
        "Look at files? Tap ✅. A file can be named so that this stops Conduit's admin commands",
        "until Conduit is restarted. I ask once a day.",
    )


def may_stop_again(here: Here, command: str, who: str, at: float) -> Message:
    """A command that got no answer the last time, and whose answer can stop Conduit."""
    return ask(
        (here.cmd(command), " of ", person(who), f" got no answer at {here.clock.at(at)}."),
        "Its answer may have stopped Conduit's admin commands, and may do so again. "
        "Try again? Tap ✅.",
    )
