"""Sluice's own commands; their handlers are in `own`."""

from __future__ import annotations

from attrs import evolve

from ..model.command import Param, Right, Type
from .params import REQUEST, maybe
from .record import Group, Guessed, OwnCommand

_LINE = Param("line", Type.TEXT, question="Which command?")
_FILTER = evolve(maybe("filter", Type.TEXT), replied=True)
_WHY = maybe("why", Type.TEXT)
_END = Param(
    "end",
    Type.CHOICE,
    choices=("done", "failed"),
    question="How did it end, done or failed?",
)


def _own(
    name: str,
    right: Right,
    summary: str,
    example: str,
    *params: Param,
    asks: bool = False,
    at_once: bool = False,
    stops: bool = False,
    guessed: Guessed = Guessed.RUNS,
) -> OwnCommand:
    return OwnCommand(
        name=name,
        right=right,
        summary=summary,
        example=example,
        params=params,
        asks=asks,
        at_once=at_once or stops,
        stops=stops,
        guessed=guessed,
    )


# fmt: off
HELP = _own("help", Right.ROLE, "what you may do", "help adduser", maybe("topic", Type.TEXT))
LOG = _own("log", Right.CHANGE, "what happened", "log @bo", _FILTER, asks=True)
MORE = _own("more", Right.ROLE, "the next page", "more", evolve(REQUEST, required=False))

RESOLVE = _own("resolve", Right.REQUEST, "how an unknown one ended", "resolve 12 done", REQUEST,
               _END, guessed=Guessed.TYPED)

_ABOUT_REQUESTS = (
    _own("can", Right.ROLE, "may I?", "can adduser alice", maybe("line", Type.TEXT), asks=True),
    _own("why", Right.ROLE, "why it was decided so", "why 12", REQUEST),
    _own("pending", Right.ROLE, "open requests", "pending"),
    _own("approve", Right.REQUEST, "a vote for it", "approve 12", REQUEST, at_once=True,
         guessed=Guessed.TYPED),
    _own("deny", Right.REQUEST, "a vote against it", "deny 12 ask him", REQUEST, _WHY,
         stops=True),
    _own("cancel", Right.REQUEST, "takes it back", "cancel 12", REQUEST, stops=True),
    RESOLVE,
)

_ABOUT_SLUICE = (
    _own("policy", Right.OWNER, "the rules that are live", "policy"),
    _own("status", Right.ROLE, "is all well?", "status", asks=True),
    _own("board", Right.ROLE, "posts the board anew", "board"),
    _own("pause", Right.CHANGE, "stops what changes things", "pause odd requests", _WHY,
         stops=True, guessed=Guessed.ASKED),
    _own("resume", Right.OWNER, "goes on after a pause", "resume",
         guessed=Guessed.TYPED),
    _own("glass", Right.LINE, "runs it without votes; reviewed afterwards",
         "glass deactivate @spam:example.org reason nobody awake", _LINE, asks=True,
         guessed=Guessed.TYPED),
    _own("trust", Right.OWNER, "gives role and vote back after a new password", "trust cy",
         Param("person", Type.WORD, question="Who?"), guessed=Guessed.TYPED),
    _own("reload", Right.OWNER, "reads the policy file again", "reload",
         guessed=Guessed.ASKED),
    _own("version", Right.ROLE, "of Sluice and of Conduit", "version"),
)
# fmt: on

COMMANDS = (HELP, *_ABOUT_REQUESTS, MORE, LOG, *_ABOUT_SLUICE)
GROUP = Group("Requests", "requests", (*_ABOUT_REQUESTS, LOG, MORE))
