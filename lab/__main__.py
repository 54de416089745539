"""The lab: a homeserver with an admin room, people, rooms and the bot, all on loopback.

    python3 -m lab               start it and print how to sign in with any Matrix client
    python3 -m lab --tour        a guided conversation, exit 1 if a step does not go as told
    python3 -m lab replay F…     transcripts of real servers against the double
    python3 -m lab interpret F…  the same answers as the catalog reads them
    python3 -m lab book          plays the scenes of docs/conversations.md and writes them anew
    python3 -m lab book bulk     … only those with "bulk" in their heading
    python3 -m lab book --unreached  … and lists what the bot can say and says in no scene
    python3 -m lab pictures F    the tour and an evening as a phone shows them, as PNGs in folder F

Makes its own environment in .venv when the packages are not there. With CONDUIT_BIN naming a
Conduit, that server is started instead of Synapse with the double.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import sys

from . import environment

PACKAGES = ("synapse", "maubot", "aiohttp", "ruamel.yaml")


def in_the_environment() -> None:
    """Starts again in the lab's own Python if this one lacks something."""
    if all(_there(name) for name in PACKAGES):
        return
    python = environment.python()
    if os.environ.get("SLUICE_LAB") == "again":
        sys.exit(f"{python} lacks one of {', '.join(PACKAGES)}; remove .venv and try again")
    os.environ["SLUICE_LAB"] = "again"
    os.execv(python, [python, "-m", "lab", *sys.argv[1:]])


def _there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m lab",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tour", action="store_true", help="play the guided conversation")
    parser.add_argument("--version", default="0.10.12", help="the Conduit that the double plays")
    parser.add_argument("--room-version", default="12", help="of the double's admin room")
    parser.add_argument("--crypto", action="store_true", help="the bot can read encrypted rooms")
    verbs = parser.add_subparsers(dest="verb", metavar="replay | interpret | book | pictures")
    for verb in ("replay", "interpret"):
        verbs.add_parser(verb).add_argument("files", nargs="+")
    book = verbs.add_parser("book")
    book.add_argument("heading", nargs="?", default="", help="only scenes whose heading holds it")
    book.add_argument("--unreached", action="store_true", help="list what no scene reaches")
    pictures = verbs.add_parser("pictures")
    pictures.add_argument("folder", nargs="?", default=".lab/pictures", help="where they go")
    args = parser.parse_args()
    in_the_environment()
    if args.verb == "replay":
        from .replay import replay

        return int(asyncio.run(replay(args.files)) > 0)
    if args.verb == "interpret":
        sys.path.insert(0, str(environment.ROOT / "plugin"))
        from .interpret import interpret

        return int(interpret(args.files) > 0)
    if args.verb == "book":
        sys.path.insert(0, str(environment.ROOT / "plugin"))
        from tests.stage import reach

        if args.unreached:
            reach.watch()
        from tests.stage.book import main as write_the_book

        done = write_the_book(args.heading)
        if args.unreached:
            print(*reach.report(), sep="\n")
        return done
    return start(args)


def start(args: argparse.Namespace) -> int:
    from .mbp import Broken
    from .process import NotReady
    from .run import Options, keep_running
    from .tour import play

    options = Options(args.version, args.room_version, args.crypto)
    try:
        if args.verb == "pictures":
            sys.path.insert(0, str(environment.ROOT / "plugin"))
            from .pictures import main as take

            return take(args.folder, options)
        if args.tour:
            return int(asyncio.run(play(options)) > 0)
        asyncio.run(keep_running(options))
    except (Broken, NotReady) as error:
        print(f"the lab does not start:\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
