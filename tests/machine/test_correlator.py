"""The correlator among other admins, redactions, restarts, crashes: never wrong, never too shy."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.families import correlator as real
from tests.machine import scripts
from tests.machine.correlator import FAULTS, Wrong, forced, run, runs

RUNS = int(os.environ.get("SLUICE_RUNS", "1000"))
SOURCE = Path(str(real.__file__)).read_text()

SEEDED = {
    "first in, first out, whatever the answer says": (
        "fits = [i for i, e in enumerate(entries) if e.asked and oracle.fits(e.asked, content)]",
        "fits = [i for i, e in enumerate(entries) if e.asked and not e.is_fence][:1] or "
        "[i for i, e in enumerate(entries) if e.asked and oracle.fits(e.asked, content)]",
    ),
    "the oldest entry that fits has it, nothing is held": (
        "if fits and len(fits) == 1:",
        "if fits:",
    ),
    "redacted commands are passed over": (
        "if read is None and not seen.redacted and not seen.ref:",
        "if read is None and not seen.ref:",
    ),
    "commands in no table are passed over": (
        "if read is None and not seen.redacted and not seen.ref:",
        "if (read is None or not read.command) and not seen.redacted and not seen.ref:",
    ),
    "redacted answers are passed over": (
        "    if not seen.redacted and oracle.is_notice(seen.content):",
        "    if seen.redacted or oracle.is_notice(seen.content):",
    ),
    "an answer leaves older entries open": (
        "rest = Queue(queue.entries[position + 1 :],",
        "rest = Queue(() if entry.is_fence else queue.entries[:position] "
        "+ queue.entries[position + 1 :],",
    ),
    "the earliest assignment is taken for the only one": (
        "if earliest[number] == latest[number]:",
        "if earliest[number] >= 0:",
    ),
    "the latest assignment is taken for the only one": (
        "settled[earliest[number]] = message.event_id",
        "pass\n            settled[latest[number]] = message.event_id",
    ),
    "an answer may be one of a command typed later": (
        "bounds = _bounds([[i for i in h.fits if i < end]",
        "bounds = _bounds([[*h.fits, *range(h.after, end)]",
    ),
    "entries behind the fence get what came before its echo": (
        "effects = _conclude(older, queue.held, blind=queue.blind)",
        "effects = _conclude(queue.entries, queue.held, blind=queue.blind)[:position]",
    ),
    "nothing is settled among held messages": (
        "if blind or bounds is None:",
        "if blind or bounds is None or held:",
    ),
    "a copy of a fence is taken for the fence": (
        "if i >= start and not e.asked",
        "if not start and not e.asked",
    ),
    "what a redacted copy of another's fence gets is believed": (
        "if entries[i].is_fence and entries[i].ref), 0)",
        "if entries[i].is_fence), 0)",
    ),
    "a fence echoes for any nonce": (
        "    if not any(entries[i].is_fence for i in fits) and not oracle.is_listed(content):",
        "    if not any(entries[i].is_fence for i in fits) and not oracle.is_listed(content):\n"
        "        return None\n"
        "    if any(entries[i].is_fence for i in fits):\n"
        "        fits = [[i for i, e in enumerate(entries) if e.is_fence][-1]]",
    ),
    "a cursor set anew is as good as the old one": (
        "return Queue(recent=queue.recent), (*lost, NeedFence())",
        "return Queue(recent=queue.recent, blind=False), (*lost, NeedFence())",
    ),
    "blind, a fence of another is believed": (
        "is_echo = entry.is_fence and (bool(entry.ref) or not queue.blind)",
        "is_echo = entry.is_fence",
    ),
    "a line goes out beside an entry that fits all": (
        "or any(e.asked is None for e in queue.entries)",
        "",
    ),
    "a crash forgets the open commands of others": (
        'for e in queue.entries\n            ],\n            "held"',
        'for e in queue.entries if e.ref\n            ],\n            "held"',
    ),
    "a crash forgets what is held": (
        "for h in queue.held],",
        "for h in queue.held[:0]],",
    ),
    "commands of others are not read again after a crash": (
        "evolve(e, asked=_known(_read(contents[e.event_id], oracle)))",
        "e",
    ),
    "an event shown twice counts twice": (
        "if seen.event_id in queue.recent:",
        "if not seen.event_id:",
    ),
    "server messages never run, not even with the emergency password": (
        "if seen.who is not Who.SERVER or seen.runs:",
        "if seen.who is not Who.SERVER:",
    ),
    "no fence is asked for": (
        "() if queue.held else (NeedFence(),)",
        "()",
    ),
    "a server's unlisted text is dropped while an entry is open": (
        "    doubt = Held(",
        "    if fits is None:\n        return queue, ()\n    doubt = Held(",
    ),
    "text beside which two commands were open is shown": (
        "if only == [i] and h.fits is None and h.after > i",
        "if h.fits is None and h.after > i",
    ),
}


def mutant(old: str, new: str) -> ModuleType:
    assert SOURCE.count(old) == 1, f"the correlator has changed, seed this fault anew: {old}"
    module = ModuleType("sluice.families.correlator_mutant")
    module.__package__ = "sluice.families"
    sys.modules[module.__name__] = module
    exec(compile(SOURCE.replace(old, new), "mutant", "exec"), module.__dict__)
    return module


SCRIPTS = {name: scripts.named(name) for name in scripts.NAMED}


@pytest.mark.parametrize("name", scripts.NAMED)
def test_no_answer_is_attributed_wrongly_and_nothing_knowable_is_called_unknown(name):
    met = runs(RUNS, SCRIPTS[name])
    for what in FAULTS:
        assert met[what] > RUNS / 100, f"hardly met: {what}"


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False), st.integers(1, 40), st.sampled_from(scripts.NAMED))
def test_the_same_with_runs_that_shrink(rng, steps, name):
    run(rng, SCRIPTS[name][0], steps=steps)


@pytest.mark.parametrize("fault", SEEDED)
def test_the_model_finds_a_correlator_in_which(fault):
    with pytest.raises(Wrong):
        runs(2000, SCRIPTS["model"], mutant(*SEEDED[fault]))


@pytest.mark.parametrize("name", scripts.NAMED[1:])
def test_every_recorded_answer_fits_its_command(name):
    (script,) = SCRIPTS[name]
    for body, answers in script.recorded.items():
        asked = script.oracle.asked(body)
        assert asked is not None, body
        for content in answers:
            assert not script.oracle.is_notice(content)
            assert script.oracle.is_listed(content)
            assert not asked.command or script.oracle.fits(asked, content), (body, content)


def test_counting_assignments_finds_what_is_forced():
    assert forced(["a", "b"], [("1", {"a", "b"}), ("2", {"a", "b"})]) == [("1", "a"), ("2", "b")]
    assert forced(["a", "b"], [("1", {"a", "b"})]) == []
    assert forced(["a", "b", "c"], [("1", {"a", "b"}), ("2", {"c"})]) == [("2", "c")]
    assert forced(["a", "b"], [("1", {"b"}), ("2", {"a"})]) is None
