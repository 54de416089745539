"""What a new text changes: one line for every difference of what the two texts mean, none for any
other.

Rights come first, as people see them (`policy.changed`); then a walk over all fields of the policy
and of the settings, so that a field that is added one day cannot be forgotten here. A line
is taken to loosen something unless a table below knows that it only takes away.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from attrs import NOTHING, evolve, fields, frozen, has

from .model.decision import Slot
from .policy.changed import ChangeLine, rights_changed, slots_cover, slots_said
from .policy.pattern import Pattern
from .policy.reasons import length, period
from .policy.roles import Role
from .policy.rules import Condition, Glass, Policy, Rule, WeeklyWindow
from .settings import Settings
from .text.message import Text, code, plain, quote
from .text.phrases import Word, count, listed

Path = tuple[str, ...]
Leaf = tuple[Path, object, object]  # where it stands, what was there, what is there; None: nothing

NOT_MEANT = frozenset(
    {"text", "fingerprint", "warnings", "outdated", "line", "key", "name", "verb", "type"}
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
    rules = [*rights, *_policy(old.policy, new.policy)]
    lines = [*rules, *_settings(old, new)]
    looser = [line.text for line in lines if line.loosens]
    stricter = [line.text for line in lines if not line.loosens]
    if lines and not head:
        head = count(len(lines), "change" if rules else "changed setting")
        head += f", {len(looser)} may loosen something" if looser else ", to tighten only"
    return Change(head, (*looser, *stricter), len(looser), unchanged)


# --- the walk ---------------------------------------------------------------------------------


def parts(value: object, *, absent: bool = False) -> Mapping[str, object] | None:
    """What a value is made of; None of one that is said as a whole. absent: what stands in the
    place of each part where there is no such value."""
    kind = type(value)
    if isinstance(value, tuple) and value and isinstance(value[0], Condition):
        value = {where.name: where for where in value}
    if isinstance(value, Mapping):
        return {} if absent else value
    if not has(kind) or isinstance(value, (Pattern, WeeklyWindow, Slot)):
        return {} if absent else None
    left_out = NOT_MEANT | TWICE if isinstance(value, (Policy, Rule)) else NOT_MEANT
    found: dict[str, object] = {}
    for each in fields(kind):
        if each.eq and each.repr and each.name not in left_out:
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


def _settings(old: Settings, new: Settings) -> Iterator[ChangeLine]:
    for path, was, now in leaves(evolve(old, policy=new.policy), new):
        loosens = not _tightens(path, was, now)
        section = "".join(f"{word}." for word in path[:-1])
        if isinstance(now, bool) and (name := ".".join(path)) in _SWITCHED:
            yield ChangeLine((f"{name} {_shown('', now)[0]}: {_SWITCHED[name][now]}",), loosens)
            continue
        for phrase in _phrases(path[-1:], was, now):
            yield ChangeLine((section, *phrase), loosens)


_SWITCHED: Mapping[str, tuple[str, str]] = {
    "secrets.replace": (
        "new passwords are no longer replaced by unseen ones",
        "new passwords are replaced by unseen ones",
    ),
    "secrets.scrub_admin_room": (
        "passwords stay readable in the admin room",
        "passwords are removed from the admin room",
    ),
    "notices.registered": ("news of new accounts are off", "news of new accounts are on"),
    "notices.reports": ("reports of users are not shown", "reports of users are shown"),
    "notices.passwords": ("news of changed passwords are off", "news of changed passwords are on"),
    "notices.emergency": (
        "nobody is told when Conduit's emergency password is set",
        "owners are told when Conduit's emergency password is set",
    ),
    "notices.other": ("Conduit's other news are off", "Conduit's other news are on"),
}
"""What it means that a switch is off, and that it is on."""


def _policy(old: Policy, new: Policy) -> Iterator[ChangeLine]:
    for name in parts(new) or ():
        was, now = getattr(old, name), getattr(new, name)
        if name == "rules":
            for before, after in _paired(was, now):
                yield from _item(_rule(after or before), before, after)
        elif isinstance(now, Mapping):
            noun = "role " if name == "roles" else ""
            for each in dict.fromkeys((*was, *now)):
                yield from _item((f"{noun}{each}",), was.get(each), now.get(each))
        else:
            yield from _item((name.replace("_", "-"),), was, now)


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
    for about in _ALIKE:
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


_ALIKE: tuple[Callable[[Rule], object], ...] = (
    lambda rule: rule.id and (rule.verb, rule.id),
    lambda rule: not rule.id and (rule.verb, rule.do, rule.role, rule.every),
    lambda rule: not rule.id and (rule.verb, rule.role),
)
"""What an old and a new rule share if they are one; the first that fits only one pair counts."""


def _same(rule: Rule) -> Rule:
    """The rule without its place in the text."""
    return evolve(rule, line=0, where=tuple(evolve(where, line=0) for where in rule.where))


def _item(title: Text, old: object, new: object) -> Iterator[ChangeLine]:
    """The lines of one person, role, rule, or of break-glass."""
    found = list(leaves(old, new))
    if old is not None and new is not None:
        if found:
            loosens = not all(_tightens(*leaf, new) for leaf in found)
            yield from _lines(title, [p for leaf in found for p in _phrases(*leaf)], loosens)
        return
    about = new if old is None else old
    if about is None:
        return
    opens = not isinstance(about, Rule) or about.verb == "allow"
    # Of one human with two accounts two may be made, and the reverse.
    loosens = isinstance(about, tuple) or (opens if old is None else not opens)
    told = [
        (_name(path), *_shown(path[-1] if path else "", was if new is None else now))
        for path, was, now in found
        if path != ("id",)  # it stands in the title
    ]
    yield from _lines((*title, " is new" if old is None else " is gone"), told, loosens)


def _lines(title: Text, phrases: Iterable[Text], loosens: bool) -> Iterator[ChangeLine]:
    """All phrases behind the title, in as many lines as it takes."""
    row: list[Word] = []
    for phrase in phrases:
        if row and len(plain(tuple(row))) > _WIDE:
            yield ChangeLine((*title, ": ", *row), loosens)
            row = []
        row += ["; ", *phrase] if row else phrase
    yield ChangeLine((*title, ": ", *row) if row else title, loosens)


# --- words ------------------------------------------------------------------------------------


def _name(path: Path) -> str:
    return "" if not path or path[-1] in _UNNAMED else f"{' '.join(path)} "


def _phrases(path: Path, was: object, now: object) -> Iterator[Text]:
    """`min_power 0 (was 25)`, `members now also kim`."""
    last, name = path[-1] if path else "", _name(path)
    if last == "rate" and isinstance(was, tuple) and isinstance(now, tuple) and was[1] == now[1]:
        yield (f"{_rate(now)} (was {was[0]:,})",)
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
    yield (name, *_shown(last, now), " (was ", *_shown(last, was), ")")


def _sorted(values: Any) -> Sequence[object]:
    return sorted(values) if isinstance(values, frozenset) else tuple(values)


def _listed(values: Iterable[object]) -> Text:
    return listed([_shown("", each) for each in values])


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
    if isinstance(value, WeeklyWindow):
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


def _less(was: int | None, now: int | None) -> bool:
    return now is not None and (was is None or now < was)


def _more(was: int | None, now: int | None) -> bool:
    return now is not None and (was is None or now > was)


def _fewer(was: Iterable[str] | None, now: Iterable[str] | None) -> bool:
    return set(now or ()) <= set(was or ())


def _wider(was: Iterable[str] | None, now: Iterable[str] | None) -> bool:
    return _fewer(now, was)


_SIZED = ("allow", "ask", "refuse")
_TIGHTENS: Mapping[str, Callable[[Any, Any], bool]] = {
    "command_max_age": _less,
    "reserved_names": _wider,
    "relay.attacker_sized": lambda was, now: _SIZED.index(now) > _SIZED.index(was),
    "board": lambda was, now: True,
    "digest": lambda was, now: True,
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


def _tightens(path: Path, was: Any, now: Any, about: object = None) -> bool:
    """Whether this difference takes away only. In doubt it does not."""
    if isinstance(about, Rule) and path[0] in ("written", "where", "during", "outside"):
        opens = about.verb == "allow"
        both = isinstance(was, frozenset) and isinstance(now, frozenset)
        if path[0] == "written" or both:
            return _fewer(was, now) if opens else _wider(was, now)
        return (was if opens else now) is None
    if about is not None and not isinstance(about, (Role, Rule, Glass)):
        return False
    known = _TIGHTENS.get(".".join(path))
    return known is not None and known(was, now)
