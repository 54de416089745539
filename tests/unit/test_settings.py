"""The whole text: defaults, the one table of keys, and base-config.yaml as maubot handles it."""

from __future__ import annotations

import hashlib
import io
import re
from datetime import timezone
from zoneinfo import ZoneInfo

import pytest
from policies import EXAMPLE, ROOT, loaded, problems_of, settings_of
from ruamel.yaml import YAML

from sluice.policy.keys import KEYS

DOCS = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
TOP = ("top", "relay", "secrets", "notices", "policy")


SOMEBODY = "policy: {roles: {mod: {members: ['@bo:b.org']}}}\n"


@pytest.mark.parametrize("text", ["", "policy:\n", "policy: {}\n", "# nothing\n", "{}"])
def test_a_text_that_gives_nobody_a_role_is_refused(text):
    said = ["1: nobody has a role, so nobody could use this. Is it saved whole?"]
    assert problems_of(text) == said
    assert loaded(text, accepted=True).settings is not None


def test_what_is_not_written_has_its_default():
    for text in (SOMEBODY, f"# nothing\n{SOMEBODY}"):
        settings = settings_of(text)
        assert (settings.prefix, settings.command_max_age, settings.owners) == ("!", 300, "owner")
        assert (settings.relay.timeout, settings.relay.slow_timeout) == (60, 600)
        assert (settings.relay.poll, settings.relay.attacker_sized) == (2, "ask")
        assert settings.secrets.remove_after == 600
        assert settings.secrets.replace
        assert settings.secrets.scrub_admin_room
        assert settings.notices.reports is True
        assert not settings.notices.passwords
        assert settings.timezone is timezone.utc
        assert settings.policy.rules == ()


def test_what_the_text_says():
    settings = settings_of(
        "ops_rooms: '!a:b.org'\nserver: c.org\nadmin_room: '!d:c.org'\nprefix: '.'\n"
        "timezone: Europe/Berlin\nreserved_names: [root, 'x-*']\nnotices: {reports: mod}\n"
        "secrets: {remove_after: 1h}\nwelcome: hi {user}\n"
        "policy: {roles: {mod: {members: ['@bo:c.org']}}}\n"
    )
    assert (settings.ops_rooms, settings.server) == (("!a:b.org",), "c.org")
    assert (settings.admin_room, settings.prefix) == ("!d:c.org", ".")
    assert settings.timezone == ZoneInfo("Europe/Berlin")
    assert settings.reserved("root")
    assert settings.reserved("x-1")
    assert not settings.reserved("_irc")
    assert settings.notices.reports == "mod"
    assert settings.secrets.remove_after == 3600
    assert settings.welcome == "hi {user}"


def test_the_text_and_its_digest_are_kept():
    settings = settings_of(EXAMPLE)
    assert settings.text == EXAMPLE
    assert settings.fingerprint == hashlib.sha256(EXAMPLE.encode()).hexdigest()


def test_the_server_comes_from_the_text_then_the_bot_then_the_first_account():
    assert loaded(f"server: a.org\n{SOMEBODY}", server="b.org").settings.server == "a.org"
    assert loaded(SOMEBODY, server="b.org").settings.server == "b.org"
    result = loaded(
        "policy: {people: {ana: ['@ana:c.org', '@ana:d.org']}, roles: {mod: {members: [ana]}}}",
        server=None,
    )
    assert (result.settings.server, result.guessed) == ("c.org", "c.org")
    assert loaded("{}", server=None).guessed == "localhost"


def test_the_admin_room_that_the_caller_knows_is_no_ops_room_either():
    text = f"ops_rooms: ['!a:b.org']\n{SOMEBODY}"
    assert problems_of(text) == []
    assert problems_of(text, admin_room="!a:b.org") == [
        "1: ops_rooms holds the admin room; commands are typed in another room"
    ]


def test_a_failing_test_is_no_error_in_a_text_that_was_valid():
    roles = SOMEBODY.removeprefix("policy: ").strip()[1:-1]
    text = f"policy:\n  {roles}\n  tests: [{{as: '@a:b.org', run: users, expect: allow}}]\n"
    assert loaded(text).settings is None
    assert loaded(text, proven=True).settings is not None
    assert loaded(EXAMPLE, proven=True).warnings == loaded(EXAMPLE).warnings


def test_policy_file_alone_names_where_the_text_is():
    assert problems_of("policy_file: /etc/x.yaml\n") == [
        "1: the policy is in another file: /etc/x.yaml"
    ]


# --- one table --------------------------------------------------------------------------------


def sections_of_docs() -> str:
    return DOCS


@pytest.mark.parametrize("section", KEYS)
def test_every_key_is_in_the_docs(section):
    missing = [key for key in KEYS[section] if f"`{key}`" not in DOCS and f"{key}:" not in DOCS]
    assert missing == [], f"docs/policy.md says nothing about these keys of {section}"


def test_the_docs_name_no_key_that_does_not_exist():
    known = {key for keys in KEYS.values() for key in keys}
    tables = re.findall(r"^\|(?: `\w+` \|| ?\|)? (`\w+`(?:, `\w+`)*) \|", DOCS, re.M)
    named = {word for cell in tables for word in re.findall(r"`(\w+)`", cell)}
    assert len(named) > 40
    assert named - known - {"relay", "allow", "require", "limit", "deny"} == set()


def test_the_example_shows_every_key_of_its_sections():
    tree = YAML(typ="safe", pure=True).load(EXAMPLE)
    assert set(KEYS["top"]) - set(tree) == {"policy_file"}
    for section in TOP[1:]:
        assert set(tree[section]) == set(KEYS[section])
    assert {key for test in tree["policy"]["tests"] for key in test} == set(KEYS["test"])


def test_the_example_says_the_defaults_where_it_does_not_choose():
    settings, defaults = settings_of(EXAMPLE), settings_of(SOMEBODY)
    for name in ("relay", "secrets", "notices", "prefix", "command_max_age", "timezone",
                 "owners", "reserved_names", "admin_room"):  # fmt: skip
        assert getattr(settings, name) == getattr(defaults, name), name


def test_the_example_survives_what_maubot_does_with_a_base_config():
    """maubot loads it round-trip, copies it, dumps it; comments must not break the result."""
    yaml = YAML()
    text = EXAMPLE
    for _ in range(3):
        out = io.StringIO()
        yaml.dump(yaml.load(text), out)
        text = out.getvalue()
        again = YAML(typ="safe", pure=True).load(text)
        assert again == YAML(typ="safe", pure=True).load(EXAMPLE)
    assert settings_of(text).policy.rules, "still a valid policy"
    between = re.findall(r"^\s*\w+:\s*\n\s*#.*\n\s*-", EXAMPLE, re.M)
    assert between == [], "a comment between a key and its first item breaks maubot's copy"
