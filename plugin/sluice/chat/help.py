"""Help: only what somebody may use, one example a line to copy.

may(command): what the policy says of this person and this command, with every condition met.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote as quote_path

from ..catalog import accounts, files, rooms, server
from ..catalog.record import INSPECT, READ, Action, Command, Group
from ..catalog.table import COMMANDS, GROUPS, action
from ..model.command import Tag
from ..model.decision import Verdict
from ..text.message import Message, Text, code, quote
from ..text.pages import Pages
from ..text.phrases import Here, Word, a, codes, dotted, view
from .undo import undo

May = Callable[[str], Verdict]

_ROWS = 6  # changing commands that still get a line each
_OVERVIEW = (accounts.GROUP, rooms.GROUP, files.GROUP, server.GROUP)  # in this order
_OWN = (
    ("Requests", ("pending", "approve", "why", "log", "can")),
    ("Urgent", ("pause", "resume", "glass")),
)
_ASKING = ("pending", "log", "pause")
_SHORT = 20  # characters of an example that stands beside what the command does


def overview(
    here: Here, role: str, may: May, approvers: Sequence[str] = ()
) -> tuple[Message, Pages | None]:
    """`help` alone. approvers: roles that could approve what this person asks for."""
    every = [c for group in GROUPS for c in group.commands]
    changes = [c for c in every if isinstance(c, Action) and _yes(may, c.name)]
    if not changes:
        return _for_looking(here, role, may)
    votes = any(may(c.name) is Verdict.APPROVE for c in changes)
    everything = all(_yes(may, name) for name in COMMANDS)
    head: list[Word] = [f"You can do {'everything' if everything else 'this'} ({role})."]
    if votes:
        head.append(f" ✋ = {_approver(role, () if everything else approvers)} must approve.")
    if len(changes) <= _ROWS and not everything:
        return _one_a_line(here, tuple(head), changes, may), None
    rows = [tuple(head)]
    lines = [(g.title, [(c, c.typed) for c in g.commands if c.overview]) for g in _OVERVIEW]
    lines += [(title, _own(names)) for title, names in _OWN]
    for title, entries in lines:
        if words := _entries(here, entries, may):
            rows.append((f"{title}: ", *dotted(words)))
    rows.append(("More: ", here.cmd("help adduser"), *_server_help(here, may)))
    return view(*rows), None


def _yes(may: May, name: str) -> bool:
    return may(name) is not Verdict.DENY


def _approver(role: str, approvers: Sequence[str]) -> str:
    if not approvers:
        return "someone else"
    names = [f"another {name}" if name == role else a(name) for name in approvers]
    return " or ".join(names)


def _local(here: Here, line: str) -> str:
    return line.replace("example.org", here.server)


def _own(names: Sequence[str]) -> list[tuple[Command, str]]:
    return [(COMMANDS[name], name) for name in names]


def _entry(here: Here, command: Command, line: str, may: May) -> Text:
    """The line to copy, empty for whom it is denied."""
    verdict = may(command.name)
    if verdict is Verdict.DENY:
        return ()
    mark = ("✋ ",) if verdict is Verdict.APPROVE else ()
    return (*mark, here.cmd(_local(here, line)))


def _entries(here: Here, lines: Sequence[tuple[Command, str]], may: May) -> list[Text]:
    return [entry for each, line in lines if (entry := _entry(here, each, line, may))]


def _line(command: Command) -> str:
    """Its example, its words alone where that is long."""
    return command.example if len(command.example) <= _SHORT else command.typed


def _summary(here: Here, command: Command) -> Text:
    return (here.cmd(_local(here, _line(command))), f": {command.summary}")


def _one_a_line(here: Here, head: Text, changes: Sequence[Command], may: May) -> Message:
    rows: list[Text] = [head]
    for command in changes:
        example, told = command.brief
        example = example or command.example
        told = told or ("" if " reason " in example else command.summary)
        row = _entry(here, command, example, may)
        rows.append((*row, f": {told}") if told else row)
    every = (c for group in _OVERVIEW for c in group.commands)
    looks = [(here.cmd(c.name),) for c in every if c.peek and _yes(may, c.name)]
    if looks:
        rows.append(("Look: ", *dotted([*looks, (here.cmd("help look"),)])))
    rows.append(("Requests: ", *dotted(_entries(here, _own(_ASKING), may))))
    return view(*rows)


def _for_looking(here: Here, role: str, may: May) -> tuple[Message, Pages | None]:
    shown = [c for group in GROUPS for c in group.commands if _yes(may, c.name)]
    first = [_summary(here, c) for c in shown if c.start == "line"]
    words = [(here.cmd(c.name),) for c in shown if c.start == "word"]
    own = [(here.cmd("can"),), (here.cmd("pending"),)]
    rest = [c for c in shown if c.looks and not c.start]
    rest += [c for c, _ in _own(("why", "version", "log")) if _yes(may, c.name)]
    rows = tuple(_summary(here, c) for c in rest)
    left = Pages((f"The rest of what you can do ({role}):",), rows, 10) if rows else None
    more: Text = (" · The rest: ", here.cmd("more")) if left else ()
    message = view(
        f"You can look at things ({role}):",
        *first,
        dotted(words),
        dotted([*own, (here.cmd("status"),)]),
        ("One command: ", here.cmd("help users"), *more),
    )
    return message, left


def _server_help(here: Here, may: May) -> Text:
    shown = _yes(may, server.SERVER_HELP.name)
    return (" · ", here.cmd(server.SERVER_HELP.typed)) if shown else ()


def looking(here: Here, may: May) -> Message:
    """`help look`: everything that only reads."""
    shown = [c for c in COMMANDS.values() if c.tags and c.tags <= READ | INSPECT]
    shown = [c for c in shown if _yes(may, c.name)]
    rows = [_summary(here, c) for c in shown[:6]]
    others = [(here.cmd(c.typed),) for c in shown[6:]]
    return view("Safe to try, these only read:", *rows, dotted(others))


def topic(here: Here, word: str, may: May) -> Message | None:
    """`help accounts`: one example a line of what they may use; None if there is no such topic."""
    group = _topics().get(word)
    if group is None:
        return None
    shown = ((c, _entry(here, c, _line(c), may)) for c in group.commands)
    rows = [(*entry, f": {c.summary}") for c, entry in shown if entry]
    if not rows:
        return view(f"Nothing about {word} is for you.")
    return view(f"About {word}, what you may use:", *rows)


def one(here: Here, name: str, rights: Text, *, undo_needs_votes: bool = False) -> Message:
    """`help adduser`. rights: "yes, names of …, 7 left (rules …)", or why not."""
    command = COMMANDS[name]
    cmds = [("", command.brief[0]), (" or ", command.example), command.also]
    examples = [(join, here.cmd(_local(here, example))) for join, example in cmds if example]
    summary = f" {command.about}." if command.about else f": {command.summary}."
    rows: list[Text] = [
        (here.cmd(command.typed.split()[0]), summary),
        ("Example: ", *[part for each in examples for part in each][1:]),
        ("You may: ", *rights),
    ]
    sample = command.sample(here.server)
    if command.undo(sample) or command.tags & {Tag.DESTRUCTIVE, Tag.SECRET}:
        rows.append(undo(here, sample, votes=undo_needs_votes, note=action(name).note))
    if command.aliases:
        rows.append(("Also called: ", *codes(a.word for a in command.aliases)))
    return view(*rows)


def _topics() -> dict[str, Group]:
    return {group.topic: group for group in GROUPS if group.topic}


def unknown_topic(here: Here, word: str) -> Message:
    return view(
        ("I have no help on ", quote(word, 40), "."),
        ("All you may do: ", here.cmd("help"), " · What only looks: ", here.cmd("help look")),
        ("Topics: ", *dotted([(here.cmd(f"help {name}"),) for name in _topics()])),
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


def repair_lines(here: Here, server: str, room: str) -> Message:
    """The same for owners, to copy. server: its address as it is reached from here."""
    api = f"{server}/_matrix/client/v3"
    login = (
        '{"type":"m.login.password","identifier":{"type":"m.id.user","user":"conduit"},'
        '"password":"LONG"}'
    )
    alias = quote_path(f"#admins:{here.server}", safe="")
    token = "-H 'Authorization: Bearer TOKEN'"
    back = f"curl -X PUT {token} -d '{{\"room_id\":\"{room}\"}}' '{api}/directory/room/{alias}'"
    return view(
        (
            "Without ",
            code(f"#admins:{here.server}"),
            " Conduit answers no command. On the server, with LONG a password of your own:",
        ),
        ("1. ", code('emergency_password = "LONG"'), " into Conduit's config, restart Conduit."),
        ("2. ", code(f"curl -X POST {api}/login -d '{login}'"), " shows the access_token, TOKEN."),
        ("3. ", code(back)),
        ("4. ", code(f"curl -X POST {token} {api}/logout"), ", else that session stays valid."),
        ("5. Take the password out of the config and restart Conduit: only then it listens.",),
        ("Its members can delete the address: keep the admin room to owners.",),
    )


def seals() -> Message:
    return view(
        "A seal is the fingerprint of my whole log so far.",
        "Each entry holds the fingerprint of the one before, so nobody can change, remove or "
        "reorder one without changing all seals after it.",
        "Every server in this room keeps a copy of each seal: who changes my database cannot "
        "change those. No app shows them; one a day I say here.",
        ("To check: ", code("venv/bin/python sluice.mbp audit verify DB --head ENTRIES:SEAL")),
    )
