"""`python -m sluice check` and `can`, run as an owner runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from policies import EXAMPLE, ROOT

from sluice.__main__ import main


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(EXAMPLE, encoding="utf-8")
    return path


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    code = main([str(arg) for arg in args])
    out, err = capsys.readouterr()
    return code, out, err


def test_check_of_a_valid_policy_prints_who_can(capsys, file):
    code, out, _ = run(capsys, "check", file)
    assert code == 0
    assert "  users: ana, dan, bo, cy, @*:example.org >= 25\n" in out
    assert (
        "  deactivateall: ana, dan  (a reason, 1 mod, 1 owner, 1 hour, 5 an hour for all)" in out
    )
    assert "Server: example.org, from the first account in people" in out


def test_check_prints_every_error_with_file_and_line(capsys, file):
    text = EXAMPLE.replace("do: adduser, where", "do: adusser, where").replace(
        "from: owner, n: 1", "from: ownr, n: 1"
    )
    file.write_text(text, encoding="utf-8")
    code, out, _ = run(capsys, "check", file)
    assert code == 1
    assert out.splitlines() == [
        f"{file}:38: unknown command “adusser”, did you mean “adduser”?",
        f"{file}:44: unknown role “ownr”, did you mean “owner”?",
    ]


def test_check_prints_warnings_and_goes_on(capsys, file):
    lines = [line for line in EXAMPLE.splitlines() if "media @eve" not in line]
    file.write_text("\n".join(lines), encoding="utf-8")
    code, out, _ = run(capsys, "check", file)
    assert code == 0
    assert f"{file}:37: warning: no test reaches this allow line\n" in out


def test_check_diff_prints_what_changes(capsys, file, tmp_path):
    new = tmp_path / "new.yaml"
    new.write_text(
        EXAMPLE.replace("do: [deactivate, resetpw, purge,", "do: [deactivate, resetpw,")
    )
    code, out, _ = run(capsys, "check", new, "--diff", file)
    assert code == 0
    assert "bo lost 1 command, cy lost 1.\n  bo: no longer purge\n  cy: no longer purge\n" in out
    assert "  allow cleanup: no longer purge\n" in out
    assert "  Unchanged: ana, dan, helpers\n" in out
    code, out, _ = run(capsys, "check", file, "--diff", file)
    assert "Nothing changes." in out
    file.write_text("policy: 5\n")
    code, out, _ = run(capsys, "check", new, "--diff", file)
    assert code == 1
    assert f"{file}:1: policy must be a section of keys, not “5”" in out


def test_check_of_no_file(capsys, tmp_path):
    code, out, _ = run(capsys, "check", tmp_path / "none.yaml")
    assert code == 1
    assert "none.yaml: cannot be read" in out


def can(capsys: pytest.CaptureFixture[str], file: Path, *args: object) -> dict[str, Any]:
    code, out, _ = run(capsys, "can", file, *args, "--json")
    assert code == 0
    answer = json.loads(out)
    assert set(answer) == {"decision", "approvals", "by", "rules", "reason", "expires"}
    return answer


def test_can_as_json(capsys, file):
    assert can(capsys, file, "bo", "deactivate @spam:example.org") == {
        "decision": "approve",
        "approvals": [{"from": "mod", "n": 1}],
        "by": ["cy", "ana", "dan"],
        "rules": ["cleanup", "destructive"],
        "reason": True,
        "expires": 3600,
    }
    assert can(capsys, file, "bo", "!adduser alice") == {
        "decision": "allow",
        "approvals": [],
        "by": [],
        "rules": ["signup"],
        "reason": False,
        "expires": None,
    }
    assert can(capsys, file, "bo", "adduser al")["rules"] == []
    assert can(capsys, file, "ana", "clearcache db")["rules"] == ["line 40"]
    assert can(capsys, file, "bo", "deactivate bo")["rules"] == [
        "built-in: self",
        "built-in: rank",
        "staff",
    ]


def test_can_of_a_member_with_power_and_at_a_time(capsys, file):
    assert can(capsys, file, "@hal:example.org", "users")["decision"] == "deny"
    assert can(capsys, file, "@hal:example.org", "users", "--power", 25)["decision"] == "allow"
    line = "deactivateall\n@s01:example.org"
    for at, rules in (("2026-11-28T12:00:00Z", ["nights"]), ("2026-11-24T12:00:00+00:00", None)):
        answer = can(capsys, file, "ana", line, "--at", at)
        assert answer["decision"] == ("deny" if rules else "approve")
        assert not rules or answer["rules"] == rules


def test_can_in_words_says_what_it_takes_as_given(capsys, file):
    code, out, _ = run(capsys, "can", file, "bo", "deactivate @spam:example.org")
    assert code == 0
    assert out.splitlines() == [
        "bo: yes, with a reason and 1 vote (cy, ana or dan). Nothing has run.",
        "5 of 5 left this hour, for all together.",
        "  allow cleanup (line 39): yes",
        "  require destructive (line 43): a reason, 1 mod, 1 hour",
        "  limit wipes (line 48): 0 of 5 used",
        "Taken as given: limits are unused, accounts exist, a reason is written.",
        "Server: example.org, from the first account in people (--server NAME says otherwise).",
    ]
    code, out, _ = run(capsys, "can", file, "bo", "adduser al")
    assert (code, out.splitlines()[0]) == (
        0,
        "bo: no, “al” is too short. Names here have 3 to 20 of a-z 0-9 . _ -",
    )


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("boo", "users"), "unknown person “boo”, did you mean “bo”?"),
        (("bo", "usres"), "unknown command “usres”, did you mean “users”?"),
        (("bo", "deactivate"), "user is missing"),
        (("bo", "adduser älice"), "cannot be a user name"),
        (("bo", "deactivate @x:evil.org"), "is an account of another server"),
        (("bo", "adduser _irc_bob"), "such names are reserved"),
        (("bo", "users", "--at", "noon"), "“noon” is no moment"),
    ],
)
def test_can_that_cannot_be_answered_exits_with_2(capsys, file, args, said):
    code, out, err = run(capsys, "can", file, *args)
    assert (code, out) == (2, "")
    assert said in err


def test_can_of_an_invalid_policy_prints_its_errors_and_exits_with_2(capsys, file):
    file.write_text("policy: {allow: [{role: mod, do: users}]}\n")
    code, _, err = run(capsys, "can", file, "@bo:example.org", "users")
    assert code == 2
    assert err == f"{file}:1: unknown role “mod”\n"


def test_the_server_can_be_said_and_is_never_asked_of_the_text_twice(capsys, file):
    wrong = run(capsys, "can", file, "bo", "deactivate spam", "--server", "other.org")
    assert wrong[0] == 2, "the example's tests are about example.org"
    text = 'policy:\n  people: {bo: "@bo:a.org"}\n  roles: {m: {members: [bo]}}\n'
    file.write_text(text + "  allow: [{role: m, do: deactivate}]\n")
    line = ("can", file, "bo", "deactivate spam", "--json")
    assert json.loads(run(capsys, *line)[1])["decision"] == "allow"
    remote = (*line[:3], "deactivate @spam:b.org", "--json")
    assert run(capsys, *remote)[0] == 2
    assert run(capsys, *remote, "--server", "b.org")[0] == 0
    file.write_text("server: b.org\n" + file.read_text())
    code, _, err = run(capsys, *remote)
    assert (code, err) == (0, "")


def test_wrong_use_exits_with_2(capsys):
    for args in ((), ("chek",), ("check",), ("can", "x")):
        with pytest.raises(SystemExit) as exit_:
            main(list(args))
        assert exit_.value.code == 2
    capsys.readouterr()


def test_it_runs_without_maubot_and_mautrix(file):
    """Only the dependencies of maubot, and plugin/ on the path; maubot itself is not imported."""
    block = (
        "import sys\n"
        "for name in ('maubot', 'mautrix', 'aiohttp', 'asyncpg', 'aiosqlite'):\n"
        "    sys.modules[name] = None\n"
        "from sluice.__main__ import main\n"
        f"sys.exit(main(['check', {str(file)!r}]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugin")}
    done = subprocess.run([sys.executable, "-c", block], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    module = [sys.executable, "-m", "sluice", "can", str(file), "bo", "adduser alice", "--json"]
    done = subprocess.run(module, env=environment, capture_output=True)
    assert json.loads(done.stdout)["decision"] == "allow"
