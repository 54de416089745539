"""What `setup` and `run` take on the command line. Exit codes: 0 it works, 1 something is to be
mended, 2 an answer is missing or wrong, 130 stopped by Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TypeVar

import aiohttp

from ..matrix.api import MatrixError
from . import run, server, units
from .assistant import Assistant, Place
from .check import look
from .files import Memory
from .managed import Declined, Managed, Management
from .package import here
from .rooms import Waiting
from .standalone import Standalone
from .talk import Answers, BadAnswer, Dialogue, Stopped, Terminal, is_a_person_there

T = TypeVar("T")
_ANSWERS = {
    "server": "the server's name, as in @you:NAME",
    "homeserver": "its address, if it is not found by the name",
    "user": "the bot's user name (sluice)",
    "owner": "your own account",
    "owners": "accounts of other owners, with blanks between",
    "moderators": "accounts of moderators, with blanks between",
    "ops-room": "the id of an ops room that exists, instead of a new one",
    "encrypted": "whether a new ops room is encrypted: y or n",
}
_SECRETS = {"password": "the bot's password", "token": "an access token, instead of a password"}


def setup(argv: Sequence[str]) -> int:
    args = _parser().parse_args(argv)
    if args.compose:
        print(units.COMPOSE, end="")
        return 0
    if args.example:
        return _guarded(lambda: _print(here().example(args.example)))
    if args.systemd:
        return _guarded(lambda: _print(units.systemd(args.folder, here())))
    return _guarded(lambda: _in_loop(_setup(args)))


def run_it(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m sluice run", description=run.__doc__)
    _folder(parser)
    folder = parser.parse_args(argv).folder

    def start() -> int:
        package = here()
        place = Standalone(folder, package)
        _in_loop(run.ready(place))
        run.become(place, package)
        return 0

    return _guarded(start)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sluice setup",
        description="From nothing to a working Sluice. Every question can be answered by an "
        "option. Stopped anywhere, it goes on from there when it is run again.",
    )
    _folder(parser)
    for name, words in _ANSWERS.items():
        parser.add_argument(f"--{name}", help=words)
    for name, words in _SECRETS.items():
        words = f"a file with {words}; - reads a line from the input"
        parser.add_argument(f"--{name}-file", metavar="FILE", help=words)
    parser.add_argument("--maubot", metavar="URL", help="use this maubot server")
    parser.add_argument("--maubot-user", default="admin", help="an admin of it (admin)")
    parser.add_argument("--maubot-password-file", metavar="FILE")
    parser.add_argument("--maubot-homeserver", metavar="URL", default="",
                        help="the homeserver's address as maubot reaches it")  # fmt: skip
    parser.add_argument("--instance", default="sluice", help="a new instance's id (sluice)")
    parser.add_argument("--wait", type=float, metavar="SECONDS", help="for what you do in Element")
    parser.add_argument("--no-questions", action="store_true", help="options and defaults only")
    parser.add_argument("--check", action="store_true", help="look at everything, change nothing")
    parser.add_argument("--systemd", action="store_true", help="print a unit")
    parser.add_argument(
        "--example", metavar="NAME", help="print a ready policy; ? for their names"
    )
    parser.add_argument("--compose", action="store_true", help="print a compose file for maubot")
    return parser


def _folder(parser: argparse.ArgumentParser) -> None:
    words = "where the configuration, policy and database are (./sluice-data)"
    parser.add_argument("--folder", type=Path, default=Path("sluice-data"), help=words)


def _print(text: str) -> int:
    print(text, end="")
    return 0


def _guarded(work: Callable[[], int]) -> int:
    try:
        return work()
    except KeyboardInterrupt:
        print("\nStopped. Nothing is half done: run the same again to go on.", file=sys.stderr)
        return 130
    except Stopped as why:
        print(why, file=sys.stderr)
        return 2
    except (MatrixError, Declined) as error:
        said = getattr(error, "text", "")
        print(f"The server says {error}{f': {said}' if said else ''}", file=sys.stderr)
    except OSError as error:
        print(error, file=sys.stderr)
    return 2


def _in_loop(work: Coroutine[None, None, T]) -> T:
    """Not asyncio.run: that takes Ctrl-C for itself, and a question would not hear it."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    try:
        return loop.run_until_complete(task)
    except BaseException:
        if not task.done():  # a Ctrl-C: what it started is ended in order
            task.cancel()
            loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        raise
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _setup(args: argparse.Namespace) -> int:
    talk, memory = Terminal(), Memory(args.folder / "setup.json")
    given = {name: getattr(args, name.replace("-", "_")) for name in _ANSWERS}
    given |= {name: _secret(getattr(args, f"{name}_file")) for name in _SECRETS}
    told = {name: value for name, value in given.items() if value is not None}
    person = is_a_person_there() and not args.no_questions
    answers = Answers(told, memory, talk, person=person)
    async with aiohttp.ClientSession() as session:
        place = _placed(args, talk, session, person)
        if args.check:
            known = f"@{args.user or 'sluice'}:{args.server}" if args.server else ""
            return await _check(memory, memory.get("bot") or known, place, talk, session)
        run.refuse_root(args.folder)
        waiting = Waiting(talk, args.wait)
        await _known(memory, args.folder)
        if memory:
            whose = memory.get("bot") or memory.get("server")
            talk.say(f"Going on with {args.folder}/setup.json ({whose}); remove it to begin anew")
        return await Assistant(answers, memory, talk, session, waiting, place).run()


async def _known(memory: Memory, folder: Path) -> None:
    """What a configuration that is there says; the memory may have been removed."""
    config = folder / "config.yaml"
    account = await Standalone(folder, here()).account() if config.exists() else None
    if account is not None:
        server_name = account.mxid.partition(":")[2]
        known = {
            "server": server_name,
            "user": account.mxid,
            "bot": account.mxid,
            "homeserver": account.homeserver,
        }
        for key, value in known.items():
            if not memory.get(key):
                memory.put(key, value)


def _secret(file: str | None) -> str | None:
    if file is None:
        return None
    text = sys.stdin.readline() if file == "-" else Path(file).read_text(encoding="utf-8")
    return text.strip("\r\n")


def _placed(
    args: argparse.Namespace, talk: Dialogue, session: aiohttp.ClientSession, person: bool
) -> Callable[[str], Awaitable[Place]]:
    async def placed(bot: str) -> Place:
        package = here()
        if not args.maubot:
            return Standalone(args.folder, package)
        if not bot:
            raise Stopped("Which bot? Give --server, and --user if it is not called sluice.")
        api = Management(session, args.maubot)
        await _log_in(api, args, talk, person)
        return Managed(api, package, bot, args.maubot_homeserver, args.instance)

    return placed


async def _log_in(api: Management, args: argparse.Namespace, talk: Dialogue, person: bool) -> None:
    password = _secret(args.maubot_password_file)
    while True:
        if password is None and not person:
            raise Stopped("--maubot-password-file is missing")
        question = f"maubot's password for {args.maubot_user} (not shown, not kept): "
        try:
            await api.login(args.maubot_user, password or talk.secret(question))
            return
        except BadAnswer as bad:
            if not person:
                raise Stopped(str(bad)) from None
            talk.say(f"  {bad}")
            password = None


async def _check(
    memory: Memory,
    bot: str,
    placed: Callable[[str], Awaitable[Place]],
    talk: Dialogue,
    session: aiohttp.ClientSession,
) -> int:
    place = await placed(bot)
    stored = await place.account()
    if stored is None:
        raise Stopped(f"There is nothing to look at {place.where}: run setup, or give --folder.")
    base = memory.get("homeserver") or stored.homeserver
    account = server.BotAccount(stored.mxid, base, stored.device, stored.token)
    known = await server.signed_in(session, account)
    if known is None:
        talk.say(f"❗ The token of {stored.mxid} is dead\n   → run setup: it signs in again, with "
                 f"the same device ({stored.device})")  # fmt: skip
        return 1
    if known.device != stored.device:
        talk.say(
            f"❗ The token is of device {known.device}, written down is {stored.device}\n"
            "   → stop Sluice if it runs, and run setup: it writes down the right one"
        )
        return 1
    return await look(place, known, session, talk.say)
