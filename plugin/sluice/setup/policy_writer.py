"""Writes a policy for these people, with tests in their names. It fits how many they are: alone;
owners only; an owner with moderators; several owners with moderators."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from ..settings import load
from .rooms import People
from .talk import Stopped

_HEAD = """\
# Who may do what on {server}. Written by setup, yours from now on; docs/policy.md has each key.
# After a change an owner types !reload in the room (in maubot's UI saving is enough). A text with
# an error changes nothing.
ops_rooms: [{room}]
server: {server}

policy:
  # One person is one vote, with however many accounts: name: ["@a:…", "@b:…"]
  people:"""


def write(server: str, room: str, people: People, now: float) -> tuple[str, list[str]]:
    """The text, and what is odd in it. Raises Stopped if it does not hold for these people."""
    text = "\n".join(_lines(server, room, people)) + "\n"
    loaded = load(text, server=server, now=now)
    for problem in loaded.errors:
        raise Stopped(f"The policy for these people does not hold: {problem.text}")
    return text, [problem.text for problem in loaded.warnings]


def _lines(server: str, room: str, people: People) -> Iterator[str]:
    names = _names(people)
    owners, mods = ([names[mxid] for mxid in some] for some in (people.owners, people.moderators))
    yield _HEAD.format(server=server, room=json.dumps(room))
    yield from (f"    {json.dumps(name)}: {json.dumps(mxid)}" for mxid, name in names.items())
    yield "  roles:"
    if mods:
        yield f"    mod: {{members: {_list(mods)}}}"
    inherits = ", inherits: mod" if mods else ""
    yield f"    owner: {{members: {_list(owners)}{inherits}}}"
    yield from _rules(bool(mods), len(owners))
    yield "  # Checked whenever this text is read; if one fails, nothing changes."
    yield "  tests:"
    yield from (f"    - {{{test}}}" for test in _tests(server, names, owners, mods))
    yield "  who_can:"
    yield f"    registration.set: {_list(owners)}"
    yield f"    deactivate: {_list([*owners, *mods])}"


def _rules(with_mods: bool, owners: int) -> Iterator[str]:
    yield "  # Nothing is possible unless a line here says so."
    yield "  allow:"
    if with_mods:
        yield '    - {role: mod, do: ["#read", "#inspect"]}'
        yield "    - {id: accounts, role: mod, do: [adduser, resetpw]}"
        yield "    - {id: spam, role: mod, do: [deactivate, purge]}"
    yield '    - {id: all, role: owner, do: "*"}'
    yield "  require:"
    role = "mod" if with_mods else "owner"
    if with_mods or owners > 1:
        yield "    # What cannot be undone needs a second person."
        vote = f"expires: 4h, approvals: [{{from: {role}, n: 1}}]"
        yield f'    - {{id: second-person, do: "#destructive", reason: true, {vote}}}'
    else:
        yield "    # What cannot be undone needs a reason."
        yield '    - {id: think, do: "#destructive", reason: true}'
    yield "  limit:"
    yield '    - {id: calm, do: "#destructive", per: person, max: 10, every: 1d}'
    if with_mods or owners > 1:
        yield "  deny:"
        yield "    # Nobody resets or deactivates one of you from the room."
        target = f"where: {{target: {{in_role: {role}}}}}"
        yield f'    - {{id: staff, do: ["#destructive", resetpw], {target}}}'
    if owners > 1:
        yield "  # An owner without votes, in an emergency; another owner reviews it."
        yield "  break_glass: {role: owner, max: 1, every: 1d}"


def _tests(
    server: str, names: Mapping[str, str], owners: Sequence[str], mods: Sequence[str]
) -> Iterator[str]:
    one, others = (mods or owners)[0], [*owners, *mods]
    others.remove(one)
    spam, alice = f"@{_free('spam', names)}:{server}", _free("alice", names)
    if mods:
        yield f'as: {_q(one)}, run: "rooms", expect: allow'
        yield f'as: {_q(one)}, run: "adduser {alice}", expect: allow, via: accounts'
        yield f'as: {_q(one)}, run: "registration on for 1h", expect: deny'
    if others:
        asked = f"expect: approve, via: second-person, by: {_list(others)}"
        yield f'as: {_q(one)}, run: "deactivate {spam}", {asked}'
        own = next((mxid for mxid in names if mxid.endswith(f":{server}")), "")
        if own:
            yield f'as: {_q(one)}, run: "resetpw {own}", expect: deny, via: staff'
    else:
        yield f'as: {_q(one)}, run: "deactivate {spam}", expect: allow, via: think'
    yield f'as: {_q(owners[0])}, run: "registration on for 1h", expect: allow, via: all'
    stranger = f"@{_free('stranger', names)}:{server}"
    yield f'as: "{stranger}", power: 100, run: "users", expect: deny'


def _names(people: People) -> dict[str, str]:
    """BotAccount -> what the policy calls its person: the user's name, made unique."""
    names: dict[str, str] = {}
    for mxid in people.all:
        local = re.sub(r"[^\w.-]+", "-", mxid[1:].partition(":")[0]).strip("._-")[:30]
        names[mxid] = _free(local or "person", names)
    return names


def _free(name: str, taken: Mapping[str, str]) -> str:
    """The name, or with a number: one that nobody here has."""
    values = set(taken.values())
    numbered = (f"{name}{n or ''}" for n in range(len(values) + 1))
    return next(each for each in numbered if each not in values)


def _list(names: Sequence[str]) -> str:
    return f"[{', '.join(map(_q, names))}]"


def _q(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
