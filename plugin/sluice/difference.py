"""What a new text changes: one line for every difference of what the two texts mean, none for any
other.

Rights come first, as people see them (`policy.access`); then a walk over all fields of the
settings and of the policy, so that a field that is added one day cannot be forgotten here. A line
is taken to loosen something unless a table below knows that it only takes away.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Any, Union

from attrs import NOTHING, evolve, fields, frozen, has

from .model.decision import Slot
from .policy.access import Line, rights_changed, slots_cover, slots_said
from .policy.pattern import Pattern
from .policy.reasons import length, period
from .policy.roles import Role
from .policy.rules import Glass, Policy, Rule, Where, Window
from .settings import Settings
from .text.message import Code, Text, code, quote

Path = tuple[str, ...]
Leaf = tuple[Path, Any, Any]  # where it stands, what was there, what is there; None: nothing

NOT_MEANT = frozenset(
    {"text", "digest", "warnings", "outdated", "line", "key", "name", "verb", "type"}
)
"""Fields that are about the text, or are what the others are listed under."""
TWICE = frozenset({"server", "owners", "ops_rooms", "admin_room", "zone", "do"})
"""Fields of a policy or a rule that say again what another field says."""
_SECONDS = frozenset({"command_max_age", "timeout", "slow_timeout", "poll", "remove_after"})
_UNNAMED = frozenset({"rate", "written", "slots", ""})  # what their lines say is plain without
_PLAIN = re.compile(r"[\w#*][\w*-]{0,39}")
_IN_A_ROW = 10  # values in one phrase
_SHORT = 60  # characters of a text that is shown
_WIDE = 300  # characters of a line, about


@frozen
class Change:
    """What a reload says. head: `bo lost 2 commands, cy gained 1`, "" if nobody's rights changed.

    lines: one for each person, command, rule or setting that changed; the first `loosens` of them
    may give somebody more. unchanged: people and roles with the same rights as before.
    """

    head: str
    lines: tuple[Text, ...]
    loosens: int
    unchanged: Text


def difference(old: Settings, new: Settings) -> Change:
    head, rights, unchanged = rights_changed(old.policy, new.policy)
    lines = [*rights, *_settings(old, new), *_policy(old.policy, new.policy)]
    looser = [line.text for line in lines if line.loosens]
    stricter = [line.text for line in lines if not line.loosens]
    if lines and not head:
        head = f"{len(lines)} change{'s' if len(lines) > 1 else ''} of the rules"
        head += f", {len(looser)} may loosen something" if looser else ", to tighten only"
    return Change(head, (*looser, *stricter), len(looser), unchanged)


# --- the walk ---------------------------------------------------------------------------------


def parts(value: Any, *, absent: bool = False) -> Mapping[str, Any] | None:
    """What a value is made of; None of one that is said as a whole. absent: what stands in the
    place of each part where there is no such value."""
    if isinstance(value, tuple) and value and isinstance(value[0], Where):
        value = {where.name: where for where in value}
    if isinstance(value, Mapping):
        return {} if absent else value
    if not has(type(value)) or isinstance(value, (Pattern, Window, Slot)):
        return {} if absent else None
    twice = TWICE if isinstance(value, (Policy, Rule)) else frozenset[str]()
    found = {}
    for each in fields(type(value)):
        if each.eq and each.repr and each.name not in NOT_MEANT | twice:
            default = None if each.default is NOTHING else each.default
            found[each.name] = default if absent else getattr(value, each.name)
    if isinstance(value, Glass) or (isinstance(value, Rule) and value.verb == "limit"):
        rate = found.pop("max"), found.pop("every")
        found["rate"] = None if absent else rate
    return found


def leaves(old: object, new: object, path: Path = ()) -> Iterator[Leaf]:
    """Every difference, with where it stands. The order of names, members and rules is none."""
    was, now = parts(old), parts(new)
    if not was and not now:
        if _unordered(old, path) != _unordered(new, path):
            yield path, old, new
        return
    was = parts(new, absent=True) or {} if was is None else was
    now = parts(old, absent=True) or {} if now is None else now
    for name in dict.fromkeys((*was, *now)):
        yield from leaves(was.get(name), now.get(name), (*path, str(name)))


def _unordered(value: object, path: Path) -> object:
    ordered = path[-1:] in (("ops_rooms",), ("rate",))  # the first room is the main one
    return frozenset(value) if isinstance(value, tuple) and not ordered else value


# --- the lines --------------------------------------------------------------------------------


def _settings(old: Settings, new: Settings) -> Iterator[Line]:
    for path, was, now in leaves(evolve(old, policy=new.policy), new):
        loosens = not _tightens(path, was, now)
        section = "".join(f"{word}." for word in path[:-1])
        for phrase in _phrases(path[-1:], was, now):
            yield Line((section, *phrase), loosens)


def _policy(old: Policy, new: Policy) -> Iterator[Line]:
    was, now = parts(old) or {}, parts(new) or {}
    for name in now:
        if name == "rules":
            for before, after in _paired(old.rules, new.rules):
                yield from _item(_rule(after or before), before, after)
        elif name in ("people", "roles"):
            noun = "role " if name == "roles" else ""
            for each in dict.fromkeys((*was[name], *now[name])):
                title = (f"{noun}{each}",)
                yield from _item(title, was[name].get(each), now[name].get(each))
        else:
            yield from _item((name.replace("_", "-"),), was[name], now[name])


def _rule(rule: Rule | None) -> Text:
    """`limit wipes`; without an id what it is about: `deny #destructive`."""
    if rule is None:
        return ()
    return (f"{rule.verb} {rule.id or ', '.join(rule.written[:3])}",)


def _paired(old: Sequence[Rule], new: Sequence[Rule]) -> Iterator[tuple[Rule | None, Rule | None]]:
    """Each rule with what became of it: by its id, else by what it is about; None is no rule."""
    before, after = {_same(rule): rule for rule in old}, {_same(rule): rule for rule in new}
    counts = Counter(map(_same, new))
    counts.subtract(map(_same, old))
    gone = [before[each] for each, n in counts.items() for _ in range(-n)]
    come = [after[each] for each, n in counts.items() for _ in range(n)]
    for about in (_id, _subject, _whose):
        alike: dict[object, tuple[list[Rule], list[Rule]]] = {}
        for side, rules in enumerate((gone, come)):
            for rule in rules:
                alike.setdefault(about(rule), ([], []))[side].append(rule)
        gone, come = [], []
        for subject, (some, others) in alike.items():
            if subject and len(some) == len(others) == 1:
                yield some[0], others[0]
            else:
                gone, come = gone + some, come + others
    yield from ((rule, None) for rule in gone)
    yield from ((None, rule) for rule in come)


def _same(rule: Rule) -> Rule:
    """The rule without its place in the text."""
    return evolve(rule, line=0, where=tuple(evolve(where, line=0) for where in rule.where))


def _id(rule: Rule) -> object:
    return rule.id and (rule.verb, rule.id)


def _subject(rule: Rule) -> object:
    return not rule.id and (rule.verb, rule.do, rule.role, rule.every)


def _whose(rule: Rule) -> object:
    return not rule.id and (rule.verb, rule.role)


def _item(title: Text, old: Any, new: Any) -> Iterator[Line]:
    """The lines of one person, role, rule, or of break-glass."""
    found = list(leaves(old, new))
    about = new if old is None else old
    if old is None or new is None:
        words = "is new" if old is None else "is gone"
        opens = not isinstance(about, Rule) or about.verb == "allow"
        loosens = opens if old is None else not opens
        # Of one human with two accounts two may be made, and the reverse.
        loosens = loosens or isinstance(about, tuple)
        title = (*title, f" {words}")
    else:
        loosens = not found or not all(_tightens(*leaf, about) for leaf in found)
    told = "both" if old is not None and new is not None else "new" if old is None else "old"
    phrases = [
        phrase
        for path, was, now in found
        if told == "both" or path != ("id",)  # it stands in the title
        for phrase in _phrases(path, was, now, told)
    ]
    if not found and (told == "both" or about is None):
        return
    row: list[Union[str, Code]] = []
    for phrase in phrases:
        if row and sum(len(p if isinstance(p, str) else p.plain) for p in row) > _WIDE:
            yield Line((*title, ": ", *row), loosens)
            row = []
        row += [*(["; "] if row else []), *phrase]
    yield Line((*title, ": ", *row) if row else title, loosens)


# --- words ------------------------------------------------------------------------------------


def _phrases(path: Path, was: Any, now: Any, told: str = "both") -> Iterator[Text]:
    """`min_power 0 (was 25)`, `members now also kim`. told: which of the two there is."""
    last = path[-1] if path else ""
    name = "" if last in _UNNAMED else f"{' '.join(path)} "
    if told != "both":
        yield (name, *_shown(last, now if told == "new" else was))
        return
    if isinstance(was or now, (tuple, frozenset)) and last not in ("rate", "slots"):
        had, has_ = _sorted(was or ()), _sorted(now or ())
        lost = [each for each in had if each not in has_]
        gained = [each for each in has_ if each not in had]
        for verb, some in (("now also", gained), ("no longer", lost)):
            for at in range(0, len(some), _IN_A_ROW):
                yield (f"{name}{verb} ", *_listed(some[at : at + _IN_A_ROW]))
        if gained or lost:
            return
    if isinstance(was, str) and isinstance(now, str) and len(max(was, now, key=len)) > _SHORT:
        pairs = enumerate(zip(was, now, strict=False))
        first = next((at for at, (a, b) in pairs if a != b), min(len(was), len(now)))
        alike = max(first - _SHORT // 3, 0)
        was, now = was[alike:], now[alike:]
    if last == "rate" and was[1] == now[1]:
        yield (f"{_rate(now)} (was {was[0]:,})",)
        return
    yield (name, *_shown(last, now), " (was ", *_shown(last, was), ")")


def _sorted(values: Iterable[Any]) -> Sequence[Any]:
    return sorted(values) if isinstance(values, frozenset) else tuple(values)


def _listed(values: Iterable[Any]) -> Text:
    return tuple(part for each in values for part in (", ", *_shown("", each)))[1:]


def _shown(name: str, value: Any) -> Text:
    """name: the field, where it says how to read the value."""
    if name == "rate" and value is not None:
        return (_rate(value),)
    if name == "slots":
        return (slots_said(value or ()) or "no votes",)
    if name in _SECONDS or (name == "expires" and value is not None):
        return (length(value),)
    if isinstance(value, Pattern):
        return (code(value.text),)
    if isinstance(value, Window):
        return (f"{value.said.rpartition(' ')[0]} {_zone(value.zone)}",)
    if isinstance(value, (tuple, frozenset)):
        some = _sorted(value)
        more = f" and {len(some) - _IN_A_ROW} more" if len(some) > _IN_A_ROW else ""
        return (*_listed(some[:_IN_A_ROW]), more) if some else ("none",)
    if isinstance(value, tzinfo):
        return (_zone(value),)
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if value is None:
        return ("none",)
    if isinstance(value, int):
        return (f"{value:,}",)
    word = str(value)
    if word[:1] in ("@", "!") or ("." in word and " " not in word):
        return (code(word),)
    return (word,) if _PLAIN.fullmatch(word) else (quote(word, _SHORT),)


def _rate(rate: tuple[int, int]) -> str:
    return f"{rate[0]:,} {period(rate[1])}"


def _zone(zone: tzinfo) -> str:
    return str(getattr(zone, "key", "UTC"))


# --- what only takes away ---------------------------------------------------------------------


def _less(was: Any, now: Any) -> bool:
    return now is not None and (was is None or now < was)


def _more(was: Any, now: Any) -> bool:
    return now is not None and (was is None or now > was)


def _fewer(was: Any, now: Any) -> bool:
    return set(now or ()) <= set(was or ())


def _wider(was: Any, now: Any) -> bool:
    return set(now or ()) >= set(was or ())


_SIZED = ("allow", "ask", "refuse")
_TIGHTENS: Mapping[str, Callable[[Any, Any], bool]] = {
    "command_max_age": _less,
    "reserved_names": _wider,
    "relay.attacker_sized": lambda was, now: _SIZED.index(now) > _SIZED.index(was),
    "secrets.remove_after": _less,
    "secrets.replace": _more,
    "secrets.scrub_admin_room": _more,
    "notices.registered": _more,
    "notices.passwords": _more,
    "notices.emergency": _more,
    "notices.other": _more,
    "tests": _more,
    "members": _fewer,
    "inherits": _fewer,
    "min_power": _more,
    "reason": _more,
    "expires": _less,
    "slots": lambda was, now: slots_cover(now, was),
    "rate": lambda was, now: now[0] <= was[0] and now[1] >= was[1],
    "per": lambda was, now: now == "everyone",
}


def _tightens(path: Path, was: Any, now: Any, about: Any = None) -> bool:
    """Whether this difference takes away only. In doubt it does not."""
    if isinstance(about, Rule) and path[0] in ("written", "where", "during", "outside"):
        opens = about.verb == "allow"
        if path[0] == "written":
            return _fewer(was, now) if opens else _wider(was, now)
        if isinstance(was or now, frozenset) and was is not None and now is not None:
            return _fewer(was, now) if opens else _wider(was, now)
        return (was if opens else now) is None
    if about is not None and not isinstance(about, (Role, Rule, Glass)):
        return False
    known = _TIGHTENS.get(".".join(path))
    return known is not None and known(was, now)
