"""Why a request ended, or why nothing more of it is sent: in words, and read from them.

The database holds the words. What an earlier version wrote in others is shown as it is: whatever
kind `read` finds, the words stay the same (`after_state(read(words)) == words`).
"""

from __future__ import annotations

from ..model.request import State, Why, WhyKind
from ..text.message import Code, Text, code
from ..text.phrases import person

# As it goes on after the word for the state: "denied" + " by ana". {} is `Why.by`.
_WORDS = {
    WhyKind.NONE: "",
    WhyKind.BY: " by {}",
    WhyKind.BEFORE_ITS_TURN: " before its turn",
    WhyKind.NO_VOTE: " without a vote",
    WhyKind.SOME_VOTES: " with {} votes",
    WhyKind.DELETED: ", {} deleted the command",
    WhyKind.CHANGED: ", {} changed the command",
    WhyKind.CANCELLED: ": cancelled by {}",
    WhyKind.CARD_DELETED: ": the card was deleted",
    WhyKind.LEFT: ": {} left this room",
    WhyKind.NO_OPS_ROOM: ": this room is no ops room any more",
    WhyKind.PUBLIC: ": this room is public now",
    WhyKind.NO_RIGHT: ": {} lost the right",
    WhyKind.NO_REASON: ": the policy wants a reason now",
    WhyKind.VOTES_MISSING: ": votes are missing now",
    WhyKind.HELD: ": a word that may have been a no was erased from outside",
    WhyKind.HELD_TOO_LONG: ": a word that may have been a no was erased, and nobody said it again",
    WhyKind.PAUSED: ": paused by {}",
    WhyKind.TOO_LATE: ": it waited too long for its turn",
    WhyKind.SILENT: ": Conduit has not answered since {}",
    WhyKind.ROOM_LEFT: ": I am not in its room",
    WhyKind.ROOM_UNREAD: ": its room cannot be read",
    WhyKind.NO_ANSWER: ": Conduit does not answer",
    WhyKind.ERROR: ": an error of mine, {}",
}
_INLINE = (WhyKind.SOME_VOTES, WhyKind.PAUSED)  # where {} is no word of its own


def after_state(why: Why) -> Text:
    """As it goes on after the word for the state, and as it is stored: `(" by ", "ana")`."""
    if why.kind is WhyKind.POLICY:
        return (": ", *why.said)
    if why.kind is WhyKind.OTHER:
        return why.said
    if why.kind in _INLINE:
        return (_WORDS[why.kind].format(why.by),)
    before, hole, after = _WORDS[why.kind].partition("{}")
    by = code(why.by) if why.kind is WhyKind.ERROR else person(why.by)
    return tuple(word for word in (before, by if hole else "", after) if word)


def alone(why: Why) -> Text:
    """The same as words of their own: `by ana`, `bo left this room`."""
    first, *rest = after_state(why)
    words = (str(first).lstrip(":, "), *rest)
    return tuple(word for word in words if word)


def called(state: State) -> str:
    """The fixed word for a state."""
    words = {State.PENDING: "open", State.EXECUTING: "running", State.UNKNOWN: "outcome unknown"}
    return words.get(state, state.value)


def read(words: Text) -> Why:
    """What was stored."""
    text = "".join(word.text if isinstance(word, Code) else str(word) for word in words)
    for kind, template in _WORDS.items():
        before, hole, after = template.partition("{}")
        why = Why(kind, text[len(before) : len(text) - len(after)] if hole else "")
        if after_state(why) == words:
            return why
    is_policy = words[0] == ": " and len(words) > 1
    return Why(WhyKind.POLICY if is_policy else WhyKind.OTHER, said=words[is_policy:])
