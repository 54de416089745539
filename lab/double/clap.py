"""Parsing a command line as clap 4.5 does with Conduit's command enum, down to its error texts.

0.9 was built with clap 4.5.4, 0.10 and later with 4.5.37; they differ in one usage line.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from .grammar import Arg, commands, help_text
from .identifiers import Invalid
from .words import family

TRY_HELP = "\n\nFor more information, try '--help'.\n"


class Shown(Exception):
    """clap prints this instead of running anything: a help, the version or a usage error."""


@dataclass(frozen=True)
class Parsed:
    """A command that clap accepted. Switches that were given stand in `values` as "true"."""

    command: str
    values: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def get(self, name: str) -> str | None:
        return self.values.get(name)


def parse(version: str, server: str, argv: Sequence[str]) -> Parsed:
    """argv[0] is how the server user was addressed; raises Shown."""
    me, words = argv[0], list(argv[1:])
    if words and words[0] == "help":
        words = [*words[1:], "--help"]
    if words:
        words[0] = words[0].replace("_", "-")
    if not words or words == ["--"]:
        raise Shown(help_text(version, "", short=True).replace("{me}", me))
    first = words[0]
    if first in commands(version):
        return Parsed(first, _Line(version, me, first).read(words[1:]))
    raise Shown(_top_level(version, server, me, first, words[1:]))


def _top_level(version: str, server: str, me: str, first: str, more: list[str]) -> str:
    """What is said when the first word is no command. The name of the program holds the colon."""
    usage = f"\n\nUsage: {me} <COMMAND>{TRY_HELP}"
    name, equals, value = first.partition("=")
    if first == "--help" or first.startswith("-h"):
        return help_text(version, "", short=True).replace("{me}", me)
    if first == "--version" or first.startswith("-V"):
        return f"@conduit:{server}: {version}\n"
    if equals and name in ("--help", "--version"):
        return (
            f"error: unexpected value '{value}' for '{name}' found; no more were expected\n\n"
            f"Usage: {me} {name} <COMMAND>{TRY_HELP}"
        )
    if first == "help":  # typed as `help help`: clap's own, which does not know `--help`
        return f"error: unrecognized subcommand '{more[0]}'{usage}"
    if first == "--":
        word = more[0]
        tip = f"\n\n  tip: subcommand '{word}' exists; to use it, remove the '--' before it"
        known = word in commands(version)
        return f"error: unexpected argument '{word}' found{tip if known else ''}{usage}"
    if first.startswith("--"):
        return f"error: unexpected argument '{name}' found{usage}"
    if first.startswith("-") and len(first) > 1:
        return f"error: unexpected argument '{first[:2]}' found{usage}"
    return f"error: unrecognized subcommand '{first}'{usage}"


@dataclass
class _Line:
    """The arguments of one command, read from left to right.

    A value that stands as its own word is checked when the next known argument is met or at the
    end, as clap does: an unknown argument behind a bad value is what gets reported.
    """

    version: str
    me: str
    command: str
    values: dict[str, str] = field(default_factory=dict)
    pending: tuple[Arg, str] | None = None
    trailing: bool = False

    @property
    def args(self) -> tuple[Arg, ...]:
        return commands(self.version)[self.command]

    @property
    def positionals(self) -> list[Arg]:
        return [arg for arg in self.args if not arg.is_option]

    def read(self, words: list[str]) -> dict[str, str]:
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if self.trailing or not word.startswith("-") or word == "-":
                self._positional(word)
            elif word == "--":
                self.trailing = True
            elif word.startswith("--"):
                self._long(word, rest)
            else:
                self._cluster(word[1:], rest)
        self._settle()
        self._complete()
        return self.values

    def _positional(self, word: str) -> None:
        free = [arg for arg in self.positionals if arg.name not in self.values]
        if not free:
            raise self._unexpected(word, tip=False)
        self._settle()
        self.values[free[0].name] = word
        self.pending = (free[0], word)

    def _long(self, word: str, rest: list[str]) -> None:
        name, equals, value = word.partition("=")
        arg = next((a for a in self.args if a.is_option and f"--{a.name}" == name), None)
        if name == "--help" and not equals:
            self._settle()
            raise self._help(short=False)
        if arg is None and name != "--help":
            raise self._unexpected(name, tip=bool(self.positionals), used=True)
        if equals and (arg is None or arg.check is None):
            raise Shown(
                f"error: unexpected value '{value}' for '{name}' found; no more were expected"
                f"\n\nUsage: {self._usage([name[2:]], groups=True)}{TRY_HELP}"
            )
        assert arg is not None
        self._option(arg, value if equals else None, rest)

    def _cluster(self, letters: str, rest: list[str]) -> None:
        """-lm, -t1h, -t=1h."""
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter == "h":
                self._settle()
                raise self._help(short=True)
            arg = next((a for a in self.args if a.short == letter), None)
            if arg is None:
                raise self._unexpected(f"-{letter}", tip=bool(self.positionals))
            if arg.check is None:
                self._option(arg, None, rest)
            else:
                self._option(arg, letters.removeprefix("=") if letters else None, rest)
                return

    def _option(self, arg: Arg, attached: str | None, rest: list[str]) -> None:
        self._settle()
        if arg.name in self.values:
            raise Shown(
                f"error: the argument '{arg.shown}' cannot be used multiple times"
                f"\n\nUsage: {self._usage()}{TRY_HELP}"
            )
        if arg.check is None:
            self.values[arg.name] = "true"
        elif attached is not None:
            self.values[arg.name] = attached
            self.pending = (arg, attached)
            self._settle()
        elif rest and (not rest[0].startswith("-") or rest[0] == "-"):
            self.values[arg.name] = rest.pop(0)
            self.pending = (arg, self.values[arg.name])
        elif rest:
            word = rest[0]
            shown = word.partition("=")[0] if word.startswith("--") else word[:2]
            raise self._unexpected(shown, tip=bool(self.positionals))
        else:
            raise Shown(
                f"error: a value is required for '{arg.shown}' but none was supplied{TRY_HELP}"
            )

    def _settle(self) -> None:
        """Checks the value that is waiting."""
        if self.pending is None:
            return
        arg, value = self.pending
        self.pending = None
        if arg.choices and value not in arg.choices:
            raise Shown(
                f"error: invalid value '{value}' for '{arg.shown}'"
                f"\n  [possible values: {', '.join(arg.choices)}]{TRY_HELP}"
            )
        assert arg.check is not None
        try:
            arg.check(value)
        except Invalid as reason:
            raise Shown(
                f"error: invalid value '{value}' for '{arg.shown}': {reason}{TRY_HELP}"
            ) from None

    def _complete(self) -> None:
        needed = {arg.requires for arg in self.args if arg.requires and arg.name in self.values}
        missing = [
            arg
            for arg in self.args
            if (arg.required or arg.name in needed) and arg.name not in self.values
        ]
        if missing:
            lines = "".join(f"\n  {arg.shown}" for arg in missing)
            named = {*self.values, *(arg.name for arg in missing if arg.is_option)}
            raise Shown(
                f"error: the following required arguments were not provided:{lines}"
                f"\n\nUsage: {self._usage(named, positionals_used=False)}{TRY_HELP}"
            )

    def _help(self, *, short: bool) -> Shown:
        return Shown(help_text(self.version, self.command, short).replace("{me}", self.me))

    def _unexpected(self, word: str, *, tip: bool, used: bool = False) -> Shown:
        hint = f"\n\n  tip: to pass '{word}' as a value, use '-- {word}'" if tip else ""
        usage = self._usage_so_far() if used and self.values else self._usage()
        return Shown(
            f"error: unexpected argument '{word}' found{hint}\n\nUsage: {usage}{TRY_HELP}"
        )

    def _usage_so_far(self) -> str:
        if family(self.version) != "0.9":
            return self._usage(self.values)
        names = "|".join(f"--{a.name}" if a.is_option else a.name for a in self.args)
        return f"{self.me} {self.command} <{names}>"

    def _usage(
        self,
        named: Collection[str] | None = None,
        *,
        positionals_used: bool = True,
        groups: bool = False,
    ) -> str:
        """The usage line: plain (None), or with the options that were used spelled out."""
        parts = [self.me, self.command]
        options = [arg for arg in self.args if arg.is_option]
        if named is None:
            parts += ["[OPTIONS]"] if options else []
        else:
            parts += ["--help"] if "help" in named else []
            parts += [arg.shown for arg in options if arg.name in named]
        used_groups = {arg.group for arg in options if arg.group and arg.name in self.values}
        for group in used_groups if groups else ():
            parts.append(f"<{'|'.join(arg.shown for arg in options if arg.group == group)}>")
        for arg in self.positionals:
            used = named is not None and positionals_used and arg.name in named
            parts.append(f"<{arg.name}>" if used else arg.shown)
        return " ".join(parts)
