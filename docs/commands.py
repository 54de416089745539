"""Writes commands.md from the catalog: `python docs/commands.py`, with plugin/ on the path."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "plugin"))

from sluice.catalog.record import After, Command
from sluice.catalog.table import COMMANDS
from sluice.families.replies import SERVER_COMMANDS
from sluice.model.command import Invocation, Param, Right, Tag, Type

HEAD = """\
# Commands

Every command, from the one table that help, the policy and the bot read
(`plugin/sluice/catalog/`). This page is written by `python docs/commands.py`; a test
fails when the two differ. How to type is in [moderators.md](moderators.md), what a rule can say in
[policy.md](policy.md).

- **Name**: what is typed behind the prefix, and what the policy names. Below it Conduit's own
  name; it takes as many words as in Conduit. `registration` with a word behind it is
  `registration.set` for the policy, `help server` is `help.server`.
- **Arguments**: `[…]` may be left out, `…` may be several: more words, a line each, or a code
  block. Behind them may stand `reason` and a text.
- **Targets**: the argument whose accounts `where: {target: …}` looks at.
- **Looked at**: what Sluice asks the homeserver afterwards, where Conduit's answer proves nothing
  or none came.
"""

GROUPS = (
    ("Looking: #read", Tag.READ),
    ("Looking closer: #inspect", Tag.INSPECT),
    ("Changing: #change", Tag.CHANGE),
    ("Destroying: #destructive", Tag.DESTRUCTIVE),
)
KINDS = {
    Type.USER: "account",
    Type.ROOM: "room",
    Type.ALIAS: "#address",
    Type.MXC: "mxc://…",
    Type.EVENT: "$event",
    Type.SERVER: "server",
    Type.DURATION: "{name} 7d",
    Type.SINCE: "{name} 7d",
    Type.COUNT: "number",
    Type.WORD: "{name}",
    Type.MEDIA_TYPE: "{name}",
    Type.SERVER_COMMAND: "{name}",
    Type.TEXT: "{name} …",
}
PROBES = {
    After.ACCOUNT: "whether the account exists",
    After.DEACTIVATED: "whether one can sign in",
    After.MEDIA: "whether the file can be loaded",
    After.ALIAS: "where the address leads",
}
MESSAGES = (
    " Reads every message of the server that is not encrypted, so no group allows it: only its"
    " name or `*`. Never one of the admin room or of Sluice's private rooms."
)
RIGHTS = {
    Right.ROLE: "anybody with a role",
    Right.CHANGE: "who has a right to change something",
    Right.REQUEST: "the request decides",
    Right.OWNER: "owners",
    Right.LINE: "the role that `break_glass` names",
}


def argument(param: Param) -> str:
    if param.flag:
        return f"[--{param.name}]"
    chosen = param.type is Type.CHOICE
    said = " or ".join(param.choices) if chosen else KINDS[param.type].format(name=param.name)
    said += " …" * param.many
    return said if param.required else f"[{said}]"


def undone(command: Command) -> str:
    """What takes it back, with the names of the values in their place: `deactivate {user}`."""
    params = [p for p in command.params if p.required]
    asked = Invocation(command.name, tuple((p.name, (f"{{{p.name}}}",)) for p in params))
    back = command.undo(asked)
    if back is None:
        return ""
    values = ("{other}" if params[0].choices else v for n, _ in back.args for v in back.values(n))
    return " ".join((COMMANDS[back.command].typed, *values))


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join((line(head), line("---" for _ in head), *map(line, rows)))


def relayed(command: Command) -> tuple[str, ...]:
    words = [alias.word for alias in command.aliases]
    if not words:
        words = [command.conduit]
    since = SERVER_COMMANDS.get(command.conduit)
    note = f" (since {since.since})" if since and str(since.since) != "0.9" else ""
    undo = f"`{undone(command)}`" if undone(command) else ""
    more = " Secret." if Tag.SECRET in command.tags else ""
    more += MESSAGES if command.reads_messages else ""
    return (
        f"**{command.name}**<br>{', '.join(f'`{word}`' for word in words)}{note}",
        f"{command.summary}.{more}".replace("?.", "?"),
        " ".join(map(argument, command.params)).join(("`", "`")) if command.params else "",
        f"`!{command.example}`",
        f"`{command.targets}`" if command.targets else "",
        PROBES.get(command.after, ""),
        undo,
    )


def own(command: Command) -> tuple[str, ...]:
    arguments = " ".join(map(argument, command.params))
    return (
        f"**{command.name}**",
        f"{command.summary}",
        f"`{arguments}`" if arguments else "",
        f"`!{command.example}`",
        RIGHTS[command.right],
    )


def page() -> str:
    parts = [HEAD]
    lines = [command for command in COMMANDS.values() if not command.own]
    for title, tag in GROUPS:
        rows = [relayed(command) for command in lines if tag in command.tags]
        head = ("Name", "Does", "Arguments", "Example", "Targets", "Looked at", "Undo")
        parts.append(f"## {title}\n\n{table(head, rows)}\n")
    rows = [own(command) for command in COMMANDS.values() if command.own]
    head = ("Name", "Does", "Arguments", "Example", "Who")
    parts.append(
        f"## Sluice's own\n\nNo line for Conduit, and no request.\n\n{table(head, rows)}\n"
    )
    return "\n".join(parts)


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page(), encoding="utf-8")
