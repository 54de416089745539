"""The lines under `allow`, `require`, `limit` and `deny`, read as rules."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping

from attrs import evolve

from ..catalog.table import COMMANDS, find, in_group
from ..model.command import Tag
from ..model.decision import Slot
from .conditions import read_where, read_window
from .document import Node, Problems, Section, bare, entries, quoted, read, text, unknown
from .keys import KEYS
from .loading import Loading
from .rules import EXPIRES, Rule

_GROUPS = tuple(f"#{tag.value}" for tag in Tag)
_IN_ALLOW = ("#read", "#inspect")


def read_lines(loading: Loading) -> tuple[Rule, ...]:
    """Every rule; a line with a mistake is left out, and what is wrong with it is noted."""
    found = [_rule(verb, node, loading) for verb in _READ for node in loading.section[verb]]
    rules = tuple(rule for rule in found if rule is not None)
    _apart(rules, loading.problems)
    return rules


def _rule(verb: str, node: Node, loading: Loading) -> Rule | None:
    problems = loading.problems
    before = len(problems.found)
    line = read(node, KEYS[verb], problems, f"{'an' if verb == 'allow' else 'a'} {verb} line")
    do = _commands(verb, line, loading)
    id_ = line["id"]
    if id_ in loading.ids:
        problems.add(line.line_of("id"), f"id {id_} stands in line {loading.ids[id_]} already")
    elif id_ is not None:
        loading.ids[id_] = node.line
    conditions = (
        read_where(key, value, do, loading, opens=verb == "allow") for key, value in line["where"]
    )
    where = tuple(condition for condition in conditions if condition is not None)
    during, outside = (
        read_window(line[key], loading) if line[key] is not None else None
        for key in ("during", "outside")
    )
    rule = Rule(verb, id_, node.line, do, _written(line), where, during, outside)
    rule = _READ[verb](rule, line, loading)
    if len(problems.found) > before:
        return None
    if id_ is not None:
        return evolve(rule, key=id_)
    return evolve(rule, key=_key(node, rule.every or None), former=_former_key(node))


def _allow(rule: Rule, line: Section, loading: Loading) -> Rule:
    role = line["role"] or ""
    if role and loading.role(role, line.line_of("role")) and "*" in rule.written:
        loading.named_only(role, line.line_of("do"), "“*”")
    return evolve(rule, role=role)


def _require(rule: Rule, line: Section, loading: Loading) -> Rule:
    slots = _slots(line, loading)
    if not line["approvals"] and not line["reason"]:
        loading.problems.add(rule.line, "a require line needs reason: true or approvals")
    expires = line["expires"] or (EXPIRES if slots else None)
    return evolve(rule, slots=slots, reason=line["reason"], expires=expires)


def _limit(rule: Rule, line: Section, loading: Loading) -> Rule:
    count = line["count"] or ""
    return evolve(rule, per=line["per"], max=line["max"], every=line["every"], count=count)


def _deny(rule: Rule, line: Section, loading: Loading) -> Rule:
    return rule


_READ: Mapping[str, Callable[[Rule, Section, Loading], Rule]] = {
    "allow": _allow,
    "require": _require,
    "limit": _limit,
    "deny": _deny,
}
"""Verb -> what only its lines have; in the order in which they are read."""


def _apart(rules: Iterable[Rule], problems: Problems) -> None:
    """No two limits count under one key: what one of them takes would count for both."""
    first: dict[str, Rule] = {}
    for rule in rules:
        if rule.verb == "limit" and first.setdefault(rule.key, rule) is not rule:
            problems.add_late(
                rule.line,
                f"this limit counts what line {first[rule.key].line} counts (same do, where, per, "
                "count and every); keep the line with the smaller max",
            )


def _written(line: Section) -> tuple[str, ...]:
    return tuple(text(node) for node in line["do"] or ())


def _commands(verb: str, line: Section, loading: Loading) -> frozenset[str]:
    """The commands of `do`, groups resolved; says what is unknown."""
    found: set[str] = set()
    add = loading.problems.add
    if line["do"] == ():
        add(line.line_of("do"), "do names no command")
    for node in line["do"] or ():
        word = text(node)
        command = find(word)
        if word == "*" or word in _GROUPS:
            if verb == "allow" and word not in (*_IN_ALLOW, "*"):
                add(node.line, f"{word} cannot be allowed as a group; name its commands")
            covered = in_group(word, held_back=verb != "allow")
            found |= {each for each in covered if not COMMANDS[each].own}
        elif word.startswith("#"):
            add(node.line, unknown("group", word, _GROUPS))
        elif command is None:
            names = (each for each, known in COMMANDS.items() if not known.own)
            add(node.line, unknown("command", word, names))
        elif command.own:
            add(node.line, f"{word} is Sluice's own command; who may use it is built in")
        elif command.name != word:
            add(node.line, f"{quoted(word)} is called {command.name} here")
        else:
            found.add(word)
    return frozenset(found)


def _slots(line: Section, loading: Loading) -> tuple[Slot, ...]:
    found: dict[str, Slot] = {}
    for node in line["approvals"]:
        approval = read(node, KEYS["approval"], loading.problems, "an approval")
        role = approval["from"]
        if not approval.sound:
            continue
        if role in found:
            loading.problems.add(approval.line, f"{role} stands in these approvals twice")
        elif loading.named_only(role, approval.line_of("from"), "approvals"):
            loading.asked[line.line, role] = approval.line_of("from")
            found[role] = Slot(role, approval["n"])
    return tuple(found.values())


def _key(node: Node, every: int | None) -> str:
    """A name for a limit without an id: what it counts, and in which window (seconds).

    It stays when lines move or its `max` changes. No id has a blank in it.
    """
    kept = {str(key.value): bare(value) for key, value in entries(node) if key.value != "max"}
    text_ = repr(sorted({**kept, "every": every}.items()))
    return f"limit {hashlib.sha256(text_.encode()).hexdigest()[:16]}"


def _former_key(node: Node) -> str:
    """The name that Sluice 1.0 gave it, which two limits with different windows shared."""
    kept = [
        (str(key.value), bare(value))
        for key, value in entries(node)
        if key.value not in ("max", "every")
    ]
    return hashlib.sha256(repr(sorted(kept)).encode()).hexdigest()[:16]
