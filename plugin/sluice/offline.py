"""The offline commands: `python -m sluice check`, `can` and `audit`; the way to `setup` and `run`.

The offline ones need maubot's dependencies, no server and no database but the one that `audit` is
given. Exit codes: 0 fine, 1 the policy has an error, 2 the question cannot be
answered (unknown person, invalid line or policy, wrong use).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence

from .catalog.record import Does
from .catalog.table import COMMANDS
from .chat import answers
from .difference import difference
from .model.decision import Decision, Facts, Verdict
from .policy.access import demand_of, unsaid, who_can
from .policy.checks import asker_of, invocation_of, moment
from .policy.document import BadValue, unknown
from .policy.explain import explain
from .policy.loading import ACCOUNT
from .policy.reasons import demand, rate, reasons
from .settings import Loaded, Settings, load
from .text.message import plain


class Unanswerable(Exception):
    """Exit 2; the message says why."""


def main(argv: Sequence[str]) -> int:
    """The exit code. argv: without the program's name."""
    if argv[:1] == ["audit"]:
        from .audit import main as audit

        return audit(argv[1:])
    if argv[:1] in (["setup"], ["run"]):
        from .setup import cli

        return (cli.setup if argv[0] == "setup" else cli.run_it)(argv[1:])
    parser = argparse.ArgumentParser(prog="python -m sluice")
    commands = parser.add_subparsers(dest="command", required=True)
    check_ = commands.add_parser("check", help="every error and warning, and who can do what")
    check_.add_argument("file")
    check_.add_argument("--diff", metavar="OLD", help="show what changes compared with OLD")
    can_ = commands.add_parser("can", help="what the policy says of one command line")
    can_.add_argument("file")
    can_.add_argument("person", help="a name of the policy, or a full account")
    can_.add_argument("line", help="the command line, as in chat")
    can_.add_argument("--power", type=float, default=0, help="power in the room (0)")
    can_.add_argument("--at", help="when, like 2026-11-23T20:00:00Z (now)")
    can_.add_argument("--json", action="store_true")
    for each in (check_, can_):
        each.add_argument("--server", help="Conduit's server name, if the policy says null")
    commands.add_parser("audit", help="verify a log: audit verify DB")
    move_ = commands.add_parser("move", help="a database from SQLite to PostgreSQL, once")
    move_.add_argument("old", metavar="OLD.db")
    move_.add_argument("new", metavar="postgresql://USER:PASSWORD@HOST/NAME")
    move_.add_argument("--schema", help="in full maubot: mbp_ and the id of the new instance")
    commands.add_parser("setup", help="from nothing to a working Sluice; --check looks at one")
    commands.add_parser("run", help="start what setup wrote, in maubot standalone")
    args = parser.parse_args(argv)
    try:
        return {"check": check, "can": can, "move": move}[args.command](args)
    except Unanswerable as why:
        print(why, file=sys.stderr)
        return 2


def check(args: argparse.Namespace) -> int:
    try:
        new = _load(args.file, args.server)
        old = _load(args.diff, args.server, accepted=True) if args.diff is not None else None
    except Unanswerable as why:
        print(why)
        return 1
    for path, loaded in ((args.file, new), (args.diff, old)):
        if loaded is None:
            continue
        for problem in loaded.errors:
            print(f"{path}:{problem.line}: {problem.text}")
        for problem in loaded.warnings if loaded is new else ():
            print(f"{path}:{problem.line}: warning: {problem.text}")
        if loaded.settings is None:
            return 1
        if loaded is new and loaded.guessed:
            print(_guessed(loaded.guessed))
    if new.settings is not None:
        if old is not None and old.settings is not None:
            _print_diff(old.settings, new.settings)
        else:
            _print_matrix(new.settings)
    return 0


def can(args: argparse.Namespace) -> int:
    loaded = _load(args.file, args.server)
    settings = loaded.settings
    if settings is None:
        rows = [f"{args.file}:{problem.line}: {problem.text}" for problem in loaded.errors]
        raise Unanswerable("\n".join(rows))
    policy = settings.policy
    if args.person not in policy.people and not ACCOUNT.fullmatch(args.person):
        raise Unanswerable(unknown("person", args.person, policy.people))
    try:
        now = time.time() if args.at is None else moment(args.at, policy.zone)
        invocation = invocation_of(args.line, policy.server, settings.prefix)
    except BadValue as bad:
        raise Unanswerable(f"{args.line}: {bad}") from None
    if COMMANDS[invocation.command].does is Does.MAKES_ACCOUNTS:
        for mxid in invocation.values("user"):
            if settings.reserved(mxid[1:].partition(":")[0]):
                raise Unanswerable(f"{mxid}: such names are reserved (reserved_names)")
    decision = explain(invocation, asker_of(policy, args.person, args.power), Facts(), now, policy)
    if args.json:
        if loaded.guessed:
            print(_guessed(loaded.guessed), file=sys.stderr)
        print(json.dumps(_as_json(decision)))
        return 0
    print(answers.can(decision, args.person).body[2:])  # as in the room, without its sign
    for line in reasons(decision):
        print(f"  {plain(line)}")
    print("Taken as given: limits are unused, accounts exist, a reason is written.")
    if loaded.guessed:
        print(_guessed(loaded.guessed))
    return 0


def move(args: argparse.Namespace) -> int:
    from .db import move as database  # the only one that needs mautrix

    old = os.path.abspath(args.old)
    if not os.path.isfile(old):
        raise Unanswerable(f"Not moved: there is no file {args.old}")
    try:
        moved = asyncio.run(database.move(old, args.new, args.schema))
    except database.CannotMove as why:
        raise Unanswerable(f"Not moved, nothing has changed: {why}") from None
    print(f"Moved: {sum(moved.values()):,} rows of {len(moved)} tables.")
    print(f"{args.old} is {args.old}.moved now. Never start Sluice on it again.")
    return 0


def _load(path: str, server: str | None, *, accepted: bool = False) -> Loaded:
    """accepted: it is what was live, so this version need not take it again."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise Unanswerable(f"{path}: cannot be read: {error}") from None
    return load(text, server=server, now=time.time(), accepted=accepted)


def _guessed(server: str) -> str:
    return f"Server: {server}, from the first account in people (--server NAME says otherwise)."


def _as_json(decision: Decision) -> dict[str, object]:
    return {
        "decision": decision.verdict.value,
        "approvals": [{"from": slot.role, "n": slot.n} for slot in decision.slots],
        "by": list(decision.can) if decision.verdict is Verdict.APPROVE else [],
        "rules": [rule.label for rule in decision.rules],
        "reason": decision.reason,
        "expires": decision.expires,
    }


def _print_matrix(settings: Settings) -> None:
    policy = settings.policy
    for person in policy.people:
        if accounts := unsaid(policy, person):
            print(f"{person} is {', '.join(accounts)}")
    print(f"{settings.server}: valid. Who can:")
    for command, some in who_can(policy).items():
        need = demand_of(policy, command)
        needs = [demand(need.slots, need.reason, need.expires)] if some else []
        needs += [rate(rule) for rule in policy.plans[command].limit] if some else []
        said = ", ".join(filter(None, needs))
        print(f"  {command}: {', '.join(some) or 'nobody'}" + (f"  ({said})" if said else ""))


def _print_diff(old: Settings, new: Settings) -> None:
    change = difference(old, new)
    print(f"{change.head}." if change.lines else "Nothing changes.")
    for line in change.lines:
        print(f"  {plain(line)}")
    if change.unchanged:
        print(f"  Unchanged: {plain(change.unchanged)}")
