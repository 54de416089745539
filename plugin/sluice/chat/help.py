"""Help: only what somebody may use, one example a line to copy.

may(command): what the policy says of this person and this command, with every condition met.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..catalog.table import COMMANDS
from ..model.command import Command, Tag
from ..model.decision import Verdict
from ..text.message import Message, Text, code, quote
from ..text.pages import Pages
from ..text.phrases import Here, Word, codes, view
from .undo import undo

May = Callable[[str], Verdict]

_ROWS = 6  # changing commands that still get a line each, in this order
_ORDER = (
    "adduser", "resetpw", "deactivate", "deactivateall",
    "purge", "purgeuser", "purgeserver", "block", "blockuser", "unblock",
    "disableroom", "enableroom", "rmalias", "rmappservice", "registration.set", "clearcache",
)  # fmt: skip
_ABOUT = {
    "adduser": "makes accounts; the passwords come to you in private",
    "resetpw": "gives an account a new password; it comes to you in private",
    "users": "lists the accounts, or those with a word in the name",
    "rooms": "lists the rooms, or those with a word in the name",
    "purge": "deletes files from this server, for good",
}
_EXAMPLES = {
    "adduser": ("adduser alice", "adduser mia noa tom"),
    "purge": ("purge reason illegal", "purge mxc://example.org/abc reason illegal"),
    "registration": ("registration", "registration on for 1h"),
    "deactivateall": ("deactivateall reason spam wave", ""),
}
_SHORT = {"purge": "as a reply to a picture"}
_GROUPS = (
    (
        "Accounts",
        ("adduser alice", "resetpw alice", "deactivate @spam:example.org", "deactivateall"),
    ),
    (
        "Rooms",
        (
            "disableroom #warez:example.org",
            "enableroom #warez:example.org",
            "rmalias #old:example.org",
        ),
    ),
    ("Files", ("media", "purge", "purgeuser @spam:example.org", "block", "unblock")),
    ("Server", ("registration on for 1h", "config", "memory", "clearcache db", "appservices")),
    ("Requests", ("pending", "approve 12", "why 12", "log", "can @bo resetpw alice")),
    ("Urgent", ("pause", "resume", "glass deactivate @spam:example.org reason …")),
)
_TOPICS = {  # "rooms" and "server" are commands already
    "accounts": ("adduser", "resetpw", "deactivate", "deactivateall", "users", "who"),
    "files": (
        "media", "mediainfo", "blocked", "purge", "purgeuser", "purgeserver", "block",
        "blockuser", "unblock",
    ),
    "requests": ("can", "why", "pending", "approve", "deny", "cancel", "resolve", "log", "more"),
}  # fmt: skip
_ASKING = ("pending", "approve 12", "deny 12 why", "cancel 12", "log", "pause")


def overview(
    here: Here, role: str, may: May, approvers: Sequence[str] = ()
) -> tuple[Message, Pages | None]:
    """`help` alone. approvers: roles that could approve what this person asks for."""
    changes = [COMMANDS[name] for name in _ORDER if _yes(may, name)]
    if not changes:
        return _for_looking(here, role, may)
    votes = any(may(c.name) is Verdict.APPROVE for c in changes)
    every = all(_yes(may, name) for name in COMMANDS)
    head: list[Word] = [f"You can do {'everything' if every else 'this'} ({role})."]
    if votes:
        head.append(f" ✋ = {_approver(role, () if every else approvers)} must approve.")
    if len(changes) <= _ROWS and not every:
        return _one_a_line(here, tuple(head), changes, may), None
    rows = [tuple(head)]
    for group, lines in _GROUPS:
        words = [w for w in (_entry(here, line, may) for line in lines) if w]
        if words:
            rows.append((f"{group}: ", *_dots(words)))
    rows.append(("One command: ", here.cmd("help deactivate"), *_server_help(here, may)))
    return view(*rows), None


_LOOKING = frozenset((Tag.READ, Tag.INSPECT))


def _yes(may: May, name: str) -> bool:
    return may(name) is not Verdict.DENY


def _approver(role: str, approvers: Sequence[str]) -> str:
    if not approvers:
        return "someone else"
    names = [f"another {name}" if name == role else f"{_a(name)} {name}" for name in approvers]
    return " or ".join(names)


def _a(noun: str) -> str:
    return "an" if noun[:1] in "aeiou" else "a"


def _dots(entries: Sequence[Text]) -> Text:
    """`!users · ✋ !purge`."""
    return tuple([part for entry in entries for part in (" · ", *entry)][1:])


def _local(here: Here, line: str) -> str:
    return line.replace("example.org", here.server)


def _entry(here: Here, line: str, may: May) -> Text:
    word = line.split()[0]
    name = "registration.set" if line.startswith("registration ") else word
    verdict = may(name)
    if verdict is Verdict.DENY:
        return ()
    mark = ("✋ ",) if verdict is Verdict.APPROVE else ()
    return (*mark, here.cmd(_local(here, line)))


def _one_a_line(here: Here, head: Text, changes: Sequence[Command], may: May) -> Message:
    rows: list[Text] = [head]
    for command in changes:
        example = _EXAMPLES.get(command.name, (command.example,))[0]
        told = _SHORT.get(command.name, "" if " reason " in example else command.summary)
        row = _entry(here, example, may)
        rows.append((*row, f": {told}") if told else row)
    looks = [here.cmd(c) for c in ("users", "who", "rooms", "media") if _yes(may, c)]
    if looks:
        rows.append(("Look: ", *_dots([(w,) for w in looks]), " · all: ", here.cmd("help look")))
    asking = [w for w in (_entry(here, line, may) for line in _ASKING) if w]
    rows.append(("Requests: ", *_dots(asking)))
    return view(*rows)


def _for_looking(here: Here, role: str, may: May) -> tuple[Message, Pages | None]:
    def rows(names: Sequence[str]) -> list[Text]:
        shown = [COMMANDS[name] for name in names if _yes(may, name)]
        return [(here.cmd(_local(here, c.example)), f": {c.summary}") for c in shown]

    first = rows(("users", "who", "rooms", "registration"))
    plain = [(here.cmd(c),) for c in ("config", "memory", "federation", "appservices")]
    plain = [word for word in plain if _yes(may, word[0].text.removeprefix(here.prefix))]
    own = [(here.cmd("can adduser alice"), ": may I?"), (here.cmd("pending"),)]
    rest = rows(("media", "mediainfo", "blocked", "event", "help.server", "why", "version", "log"))
    left = Pages((f"The rest of what you can do ({role}):",), tuple(rest), 10) if rest else None
    more: Text = (" · The rest: ", here.cmd("more")) if left else ()
    message = view(
        f"You can look at things ({role}). Nothing here changes anything.",
        *first,
        *([_dots(plain)] if plain else []),
        _dots([*own, (here.cmd("status"),)]),
        ("One command: ", here.cmd("help users"), *more),
    )
    return message, left


def _server_help(here: Here, may: May) -> Text:
    shown = _yes(may, "help.server")
    return (" · Conduit's own help: ", here.cmd("help server")) if shown else ()


def looking(here: Here, may: May) -> Message:
    """`help look`: everything that only reads."""
    shown = [c for c in COMMANDS.values() if c.tags and not c.tags - _LOOKING]
    shown = [c for c in shown if _yes(may, c.name)]
    rows = [(here.cmd(_local(here, c.example)), f": {c.summary}") for c in shown[:10]]
    others = [(here.cmd(_local(here, c.example)),) for c in shown[10:]]
    return view("These only look, nothing changes:", *rows, *([_dots(others)] if others else []))


def topic(here: Here, word: str, may: May) -> Message | None:
    """`help accounts`: one example a line of what they may use; None if there is no such topic."""
    names = _TOPICS.get(word)
    if names is None:
        return None
    shown = [COMMANDS[name] for name in names if _yes(may, name)]
    rows = [(*_entry(here, c.example, may), f": {c.summary}") for c in shown]
    if not rows:
        return view(f"Nothing about {word} is for you.")
    return view(f"About {word}, what you may use:", *rows)


def one(here: Here, name: str, rights: Text, *, undo_needs_votes: bool = False) -> Message:
    """`help adduser`. rights: "yes, names of …, 7 left (rules …)", or why not."""
    command = COMMANDS[name]
    word = name.partition(".")[0]
    about = _ABOUT.get(name)
    examples = [e for e in _EXAMPLES.get(name, (command.example,)) if e]
    cmds = [here.cmd(_local(here, example)) for example in examples]
    other = ", or several: " if name == "adduser" else " or "
    rows: list[Text] = [
        (here.cmd(word), f" {about}." if about else f": {command.summary}."),
        ("Example: ", *[part for cmd in cmds for part in (other, cmd)][1:]),
        ("You may: ", *rights),
    ]
    value = _local(here, command.example.split()[1]) if command.undo else ""
    value = "off" if name == "registration.set" else value
    if command.undo or command.tags & {Tag.DESTRUCTIVE, Tag.SECRET}:
        rows.append(undo(here, name, value, votes=undo_needs_votes))
    if command.aliases:
        rows.append(("Also called: ", *codes(a.word for a in command.aliases)))
    return view(*rows)


def unknown_topic(here: Here, word: str) -> Message:
    return view(
        ("I have no help on ", quote(word, 40), "."),
        ("All you may do: ", here.cmd("help"), " · What only looks: ", here.cmd("help look")),
        ("Topics: ", *_dots([(here.cmd(f"help {name}"),) for name in _TOPICS])),
    )


def repair(here: Here) -> Message:
    """What brings the admin room back; tried on Conduit 0.9.0, 0.10.12 and 0.11.0-alpha."""
    address = code(f"#admins:{here.server}")
    return view(
        ("Without ", address, " Conduit answers no command. Its owner repairs it:"),
        ("1. Set ", code("emergency_password"), " in Conduit's config file and restart Conduit."),
        ("2. Sign in as ", code(f"@conduit:{here.server}"), " with that password."),
        ("3. In the old admin room's settings, add the address ", address, " again."),
        ("4. Sign that session out: it would stay valid. Take the password out of the file.",),
        ("5. Restart Conduit again: only then it listens to the room. I notice by myself.",),
        ("Every member of the admin room can delete that address: keep it to owners.",),
    )


def seals() -> Message:
    return view(
        "A seal is the fingerprint of my whole log so far.",
        "Each entry holds the fingerprint of the one before, so nobody can change, remove or "
        "reorder one without changing all seals after it.",
        "Every server in this room keeps a copy of each seal: who changes my database cannot "
        "change those.",
        ("To check: ", code("python -m sluice audit verify DB --head ENTRIES:SEAL")),
    )
