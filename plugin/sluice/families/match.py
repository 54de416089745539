"""Whether an answer can belong to a command: its shape, and every argument that it repeats.

An answer of Conduit carries no link to its question, so this is all there is to tell two answers
of a kind apart. In doubt it is taken as fitting: a wrong yes costs certainty, a wrong no an answer
that is given to somebody else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from attrs import frozen

from ..model.admin_room import Asked
from ..model.event import Json, text_in
from .replies import COMMON, HELP, SERVER_COMMANDS, UNCLOSED, VERSION, Reply, ServerCommand

Groups = Mapping[str, str]


@frozen
class Found:
    """The reply that an answer is to a command, with what its groups hold."""

    reply: Reply
    groups: Groups


def match(asked: Asked, content: Json) -> Found | None:
    """Which reply to this command the content is; None if it cannot be one."""
    command = SERVER_COMMANDS.get(asked.command)
    for reply in command.replies if command else ():
        groups = groups_of(reply, content)
        if groups is not None and command and _repeats(command, asked, reply, groups):
            return Found(reply, groups)
    for reply in COMMON:
        groups = groups_of(reply, content)
        if groups is not None and _is_common(asked, reply, text_in(content, "body"), groups):
            return Found(reply, groups)
    return None


def groups_of(reply: Reply, content: Json) -> Groups | None:
    """What the groups of a reply hold if the content has its shape; the whole body must match."""
    body = content.get("body")
    if content.get("msgtype") not in reply.msgtypes or not isinstance(body, str):
        return None
    found = reply.pattern.fullmatch(body)
    if found is None:
        return None
    groups = {name: text for name, text in found.groupdict().items() if text is not None}
    url = content.get("url")
    return (
        {**groups, "url": url} if "m.image" in reply.msgtypes and isinstance(url, str) else groups
    )


@frozen
class Given:
    """The arguments of a command as clap would read them."""

    positional: tuple[str, ...]
    flags: tuple[str, ...]


def given(command: ServerCommand, words: tuple[str, ...]) -> Given:
    """The words sorted into positionals and flags; option values are neither."""
    longs = {f"--{o.partition('/')[0]}" for o in command.options}
    shorts = {o.partition("/")[2] for o in command.options}
    positional: list[str] = []
    flags: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word == "--":
            positional += queue
            break
        if not word.startswith("-") or word == "-":
            positional.append(word)
            continue
        flags.append(word)
        cluster = "" if word.startswith("--") else word[1:]
        option = next((at for at, letter in enumerate(cluster) if letter in shorts), None)
        if word in longs or (option is not None and option == len(cluster) - 1):
            queue = queue[1:]
    return Given(tuple(positional), tuple(flags))


# --- one command's own replies


def _repeats(command: ServerCommand, asked: Asked, reply: Reply, groups: Groups) -> bool:
    args = given(command, asked.words).positional
    if command.block and (reply.code == "no_block") == bool(asked.block):
        return False
    return all(
        _REPEATED[name](text, asked, args) for name, text in groups.items() if name in _REPEATED
    )


def _is_user(text: str, asked: Asked, args: tuple[str, ...]) -> bool:
    if not args:
        return False
    if asked.command == "deactivate-user":
        return text == args[0]
    name = args[0].lower()  # create-user and reset-password: a localpart or a full MXID
    return text == name if name.startswith("@") else text.startswith(f"@{name}:")


def _is_password(text: str, asked: Asked, args: tuple[str, ...]) -> bool:
    if len(args) > 1:
        return text == args[1]
    return re.fullmatch("[A-Za-z0-9]{15}", text) is not None


def _is_listed(text: str, asked: Asked, args: tuple[str, ...]) -> bool:
    return all(line in asked.block for line in text.split("\n"))


def _is_first(text: str, asked: Asked, args: tuple[str, ...]) -> bool:
    return text in args[:1]


def _is_now(text: str, asked: Asked, args: tuple[str, ...]) -> bool:
    return args == ("true" if text == "enabled" else "false",)


def _is_count(text: str, asked: Asked, args: tuple[str, ...]) -> bool:
    return asked.command != "deactivate-all" or int(text[:9]) <= len(asked.block)


def _is_skipped(text: str, asked: Asked, args: tuple[str, ...]) -> bool:
    if "\\" in text:
        return True  # Rust's Debug: an odd name stands there escaped
    return all(any(u.startswith(f"@{name}:") for u in asked.block) for name in text.split(", "))


def _is_id(text: str, asked: Asked, args: tuple[str, ...]) -> bool:
    yaml = "\n".join(asked.block)
    return text in yaml or "\\" in yaml


def _is_event(text: str, asked: Asked, args: tuple[str, ...]) -> bool:
    try:
        event_id = json.loads(text).get("event_id")
    except (ValueError, AttributeError, RecursionError):
        return True
    return event_id is None or event_id in args[:1]


_REPEATED = {
    "user": _is_user,
    "password": _is_password,
    "invalid": _is_listed,
    "remote": _is_listed,
    "missing": _is_listed,
    "server": _is_first,
    "url": _is_first,
    "id": _is_id,
    "now": _is_now,
    "currently": lambda text, asked, args: not args,
    "count": _is_count,
    "skipped": _is_skipped,
    "pdu": _is_event,
}

# --- what every command may be answered with

_USAGE_OF = re.compile(r"\n\nUsage: @conduit:\S+ (\S+)")
_HEADS = (
    ("unknown", re.compile(r"unrecognized subcommand '(.*)'")),
    ("unexpected", re.compile(r"unexpected argument '(.*)' found")),
    ("value", re.compile(r"unexpected value '(.*)' for '.*' found; no more were expected")),
    ("invalid", re.compile(r"invalid value '(.*?)' for '(.*?)'(?::.*)?")),
    ("lacking", re.compile(r"a value is required for '(.*?)' but none was supplied")),
    ("twice", re.compile(r"the argument '(.*)' cannot be used multiple times")),
)
_REQUIRED = "the following required arguments were not provided:"


def _is_common(asked: Asked, reply: Reply, body: str, groups: Groups) -> bool:
    if reply is UNCLOSED:
        return asked.command == ""
    if reply is VERSION:
        return asked.command == "version"
    if reply is HELP:
        about = groups["usage"].split(" ")[0]
        wants = any(w == "--help" or re.match("-[^-]*h", w) for w in asked.words)
        return (
            about == "<COMMAND>" if asked.command == "help" else wants and about == asked.command
        )
    return _is_usage(asked, body, groups["error"])


def _is_usage(asked: Asked, body: str, error: str) -> bool:
    """Whether a usage error is about this command: its name, and what it repeats of the words."""
    used = _USAGE_OF.findall(error)
    head, *below = error.split("\n")
    kind, parts = next(
        ((k, found.groups()) for k, p in _HEADS if (found := p.fullmatch(head))), ("", ())
    )
    if asked.command == "fence":
        return body == _echo(body, asked.words[0])
    if kind == "unknown":
        return parts[0] == asked.command
    command = SERVER_COMMANDS.get(asked.command)
    if command is None:
        return asked.command in ("help", "version") and used[-1:] != [] and used[-1][0] in "<-"
    if used and used[-1] != command.name:
        return False
    if any("server.name" in word for word in asked.words):
        return True  # Conduit writes its own name over these words in every usage error
    typed = given(command, asked.words)
    if head == _REQUIRED:
        return all(_is_lacking(line.strip(), command, typed) for line in _required(below))
    if kind == "unexpected":
        return any(_is_part(parts[0], word) for word in asked.words)
    if kind == "value":
        return any(flag.endswith(f"={parts[0]}") for flag in typed.flags)
    if kind == "invalid":
        known = parts[1].strip("<>[]") in command.args or _has(command, parts[1])
        return known and any(_holds(word, parts[0]) for word in asked.words)
    if kind in ("lacking", "twice"):
        name = parts[0].split(" ")[0]
        times = sum(flag.partition("=")[0] == name for flag in typed.flags)
        clusters = any(not flag.startswith("--") for flag in typed.flags)
        return _has(command, name) and (clusters or times > (kind == "twice"))
    return True


def _echo(body: str, nonce: str) -> str:
    """The one body that echoes this nonce, with the name that this server has in it."""
    server = re.search(r"\n\nUsage: (@conduit:\S+) <COMMAND>", body)
    return (
        f"error: unrecognized subcommand 'sluice-fence-{nonce}'\n\n"
        f"Usage: {server.group(1) if server else ''} <COMMAND>\n\n"
        "For more information, try '--help'.\n"
    )


def _required(below: list[str]) -> list[str]:
    return [line for line in below[: below.index("")] if line] if "" in below else below


def _is_lacking(name: str, command: ServerCommand, typed: Given) -> bool:
    if name.startswith("--"):
        return bool(typed.flags) and name.split(" ")[0] not in typed.flags
    name = name.strip("<>[]")
    return name in command.args and command.args.index(name) >= len(typed.positional)


def _is_part(shown: str, word: str) -> bool:
    """Whether clap may name a word so: a flag without its value, one letter of a cluster."""
    if shown == word or (shown.startswith("--") and word.partition("=")[0] == shown):
        return True
    is_letter = shown.startswith("-") and not shown.startswith("--")
    return is_letter and re.match("-[^-]", word) is not None and shown[1:] in word


def _holds(word: str, value: str) -> bool:
    """Whether a word is this value, or a flag with it: `--last=7d`, `-t7d`."""
    is_flag = word.startswith("-") and value != ""
    return word == value or word.endswith(f"={value}") or (is_flag and word.endswith(value))


def _has(command: ServerCommand, shown: str) -> bool:
    """Whether a flag, as clap shows it (`--from-last <FROM_LAST>`), is one of this command."""
    name = shown.split(" ")[0].removeprefix("--")
    return any(f.partition("/")[0] == name for f in (*command.switches, *command.options))
