"""`setup`: its questions, what it writes, and that it can be killed anywhere and run again."""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from ruamel.yaml import YAML

from lab import mbp
from sluice.settings import load
from sluice.setup import cli, files, policy_writer, run, server, units
from sluice.setup.check import look
from sluice.setup.package import Package
from sluice.setup.rooms import People
from sluice.setup.talk import Stopped
from tests.fake.homeserver import Fault
from tests.unit.setting_up import (
    ANSWERS,
    BOT,
    NAME,
    PACKAGE,
    PASSWORD,
    Here,
    Home,
    Killer,
    config_of,
    home,
    set_up,
    works,
)

__all__ = ["home"]  # a fixture

# --- from nothing


async def test_it_ends_in_a_bot_that_works(home: Home, tmp_path: Path) -> None:
    code, owner = await set_up(home, tmp_path)
    assert code == 0
    works(home, tmp_path)
    assert "✓ Conduit 0.10.12 answered through the admin room: registration is off" in owner.text
    assert PASSWORD not in owner.text
    state = home.rooms[home.made[0]].state
    content = {kind: event["content"] for (kind, key), event in state.items() if not key}
    assert content["m.room.history_visibility"] == {"history_visibility": "shared"}
    assert content["m.room.join_rules"] == {"join_rule": "invite"}
    assert content["m.room.power_levels"]["users"] == {
        "@ana:fake.test": 100,
        "@dan:fake.test": 100,
    }
    assert "m.room.encryption" not in content


async def test_every_question_can_be_answered_by_a_person_who_errs(
    home: Home, tmp_path: Path
) -> None:
    lines = (
        *("https://fake.test", "no name", NAME),
        *("http://127.0.0.1:1", home.base),
        *("conduit", ""),
        *("wrong", PASSWORD),
        *("nobody", "ana dan", "@ana:fake.test"),
        *("ana", "@x", "dan"),
        *("sluice", "bo @Cy:Fake.Test"),
        *("perhaps", "y"),
    )
    asked = dict.fromkeys(ANSWERS)
    code, owner = await set_up(home, tmp_path, *lines, person=True, **asked, homeserver=None)
    assert code == 0
    works(home, tmp_path)
    assert owner.lines == []
    for reason in (
        "the name of the server, as in @you:NAME, not an address",
        "that is no name of a server",
        "nothing answers at http://127.0.0.1:1",
        "that is Conduit's own account",
        "create-user sluice",
        "there is no account @nobody:fake.test",
        "that is one account: yours",
        "@ana:fake.test is named already",
        "there is no account @x:fake.test",
        "@sluice:fake.test is named already",
        "y or n",
    ):
        assert reason in owner.text, reason
    assert ("m.room.encryption", "") in home.rooms[home.made[0]].state


@pytest.mark.parametrize(
    "key", [key for key in ANSWERS if key not in ("user", "owners", "moderators", "encrypted")]
)
async def test_an_answer_that_is_missing_is_named(home: Home, tmp_path: Path, key: str) -> None:
    with pytest.raises(Stopped, match=f"--{key} is missing"):
        await set_up(home, tmp_path, **{key: None})


async def test_a_wrong_option_is_named_with_its_reason(home: Home, tmp_path: Path) -> None:
    with pytest.raises(Stopped, match=r"--moderators: there is no account @nobody:fake.test"):
        await set_up(home, tmp_path, moderators="nobody")
    with pytest.raises(Stopped, match=r"--password: .* does not sign @sluice:fake.test in"):
        await set_up(home, tmp_path / "b", password="wrong")


async def test_a_mistyped_server_is_told_before_anybody_waits_for_it(
    home: Home, tmp_path: Path
) -> None:
    code, owner = await set_up(
        home, tmp_path, "", "", person=True, server="fkae.test", homeserver=home.base
    )
    assert code == 0
    works(home, tmp_path)
    assert f"the homeserver at {home.base} is that of {NAME}, not of fkae.test" in owner.text
    assert f"Server name, like example.com [{NAME}]: " in owner.told
    assert f"Address of the homeserver, like https://matrix.example.com [{home.base}]: " in (
        owner.told
    )
    with pytest.raises(Stopped, match=r"--server: the homeserver at .* is that of fake.test, not"):
        await set_up(home, tmp_path / "b", server="fkae.test")
    code, _ = await set_up(home, tmp_path / "b", owner="ana")
    assert code == 0, "what was wrong is not remembered"


async def test_the_last_words_are_in_the_order_in_which_they_are_done(
    home: Home, tmp_path: Path
) -> None:
    _, owner = await set_up(home, tmp_path)
    assert owner.text.index("Start it:") < owner.text.index("accept the invitation to the room")


async def test_a_token_is_taken_with_its_device(home: Home, tmp_path: Path) -> None:
    home.sessions["given"] = (BOT, "MINE")
    code, _ = await set_up(home, tmp_path, token="given", password=None)
    assert code == 0
    works(home, tmp_path)
    assert config_of(tmp_path)["user"]["credentials"]["device_id"] == "MINE"
    assert home.count("login") == 0


async def test_a_room_that_exists_is_taken_also_with_a_servers_name_behind_its_id(
    home: Home, tmp_path: Path
) -> None:
    room = home.room("@ana:fake.test")
    home.put(room, "@ana:fake.test", "m.room.member", {"membership": "invite"}, BOT)
    code, _ = await set_up(home, tmp_path, ops_room=f"{room}:{NAME}")
    assert code == 0
    assert home.made == []
    assert f'ops_rooms: ["{room}"]' in (tmp_path / "sluice.yaml").read_text()


async def test_waiting_ends_with_what_is_to_be_done(home: Home, tmp_path: Path) -> None:
    home.invite = lambda: None  # type: ignore[method-assign]
    with pytest.raises(Stopped, match="Waited 10 seconds"):
        await set_up(home, tmp_path, wait=10)
    assert home.made == []


# --- killed anywhere


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_killed_at_every_step_a_second_run_ends_in_a_bot_that_works(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    steps = 0
    for at in range(200):
        await home.stop()
        home = Home()
        await home.start()
        home.conduit = True
        killer, folder = Killer(home, monkeypatch), tmp_path / str(at)
        killer.aim(at, done)
        if await killer.run(set_up(home, folder)):
            break
        killer.aim(-1, False)
        assert await killer.run(set_up(home, folder)), at
        assert killer.task is not None
        code, _ = killer.task.result()
        assert code == 0, at
        works(home, folder)
        assert home.count("createRoom") <= 2
        steps += 1
    assert steps > 20
    await home.stop()


async def test_a_third_run_changes_nothing_but_looks_for_the_proof(
    home: Home, tmp_path: Path
) -> None:
    await set_up(home, tmp_path)
    before = {p.name: p.read_text() for p in tmp_path.iterdir()}
    events = len(home.rooms[home.made[0]].events), len(home.rooms[home.admin_room].events)
    code, _ = await set_up(home, tmp_path, password="not asked for")
    assert code == 0
    works(home, tmp_path)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == before
    assert events == (
        len(home.rooms[home.made[0]].events),
        len(home.rooms[home.admin_room].events),
    )
    assert home.count("/login") == 1


async def test_a_dead_token_is_replaced_on_the_same_device(home: Home, tmp_path: Path) -> None:
    await set_up(home, tmp_path)
    device = config_of(tmp_path)["user"]["credentials"]["device_id"]
    home.sessions = {t: s for t, s in home.sessions.items() if s[0] != BOT}
    code, _ = await set_up(home, tmp_path)
    assert code == 0
    works(home, tmp_path)
    assert config_of(tmp_path)["user"]["credentials"]["device_id"] == device


async def test_a_device_that_cannot_be_signed_is_named_and_no_more(
    home: Home, tmp_path: Path
) -> None:
    pytest.importorskip("olm")
    home.faults.append(Fault("keys/query", 500, times=9))
    code, owner = await set_up(home, tmp_path)
    assert code == 0
    works(home, tmp_path)
    assert "Note: its device cannot be signed (500" in owner.text


async def test_without_a_password_no_device_is_signed(home: Home, tmp_path: Path) -> None:
    home.sessions["given"] = (BOT, "MINE")
    await set_up(home, tmp_path, token="given", password=None)
    assert home.count("keys/query") == 0


async def test_a_server_that_does_not_answer_is_no_reason_to_sign_in(
    home: Home, tmp_path: Path
) -> None:
    await set_up(home, tmp_path)
    home.faults.append(Fault("whoami", 502, times=99))
    with pytest.raises(Stopped, match="502"):
        await set_up(home, tmp_path)
    assert home.count("/login") == 1


async def test_beside_a_running_sluice_nothing_is_written(home: Home, tmp_path: Path) -> None:
    await set_up(home, tmp_path)
    events = [len(room.events) for room in home.rooms.values()]
    with held(tmp_path / "sluice.db.lock"):
        code, owner = await set_up(home, tmp_path)
    assert code == 0
    assert "Sluice is running" in owner.text
    assert owner.told[-1] == "All good. In the room: !status"
    assert [len(room.events) for room in home.rooms.values()] == events


async def test_beside_a_running_sluice_a_new_token_comes_without_a_policy(
    home: Home, tmp_path: Path
) -> None:
    """It may stand elsewhere."""
    await set_up(home, tmp_path)
    (tmp_path / "sluice.yaml").unlink()
    home.sessions = {t: s for t, s in home.sessions.items() if s[0] != BOT}
    with held(tmp_path / "sluice.db.lock"):
        _, owner = await set_up(home, tmp_path)
    assert "A new token is in" in owner.text
    assert config_of(tmp_path)["user"]["credentials"]["access_token"] in home.sessions
    assert not (tmp_path / "sluice.yaml").exists()


class held:
    """Another process has the database."""

    def __init__(self, lock: Path) -> None:
        self.lock = lock

    def __enter__(self) -> None:
        self.file = self.lock.open("wb")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.file.close()


@pytest.mark.parametrize(
    ("base", "fine"),
    [
        ("https://matrix.example.com", True),
        ("http://conduit:6167", True),
        ("http://127.0.0.1:6167", True),
        ("http://[::1]:6167", True),
        ("http://10.1.2.3", True),
        ("http://nas.local", True),
        ("http://matrix.example.com", False),
        ("http://8.8.8.8", False),
        ("matrix.example.com", False),
        ("ftp://conduit", False),
        ("", False),
        ("http://[", False),
    ],
)
def test_a_password_is_not_sent_where_it_can_be_read(base: str, fine: bool) -> None:
    assert (server.unsafe(base) is None) == fine


# --- what is wrong is named


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda home: home.aliases.clear(), "#admins:fake.test leads nowhere"),
        (lambda home: home.leave(home.admin_room, BOT), "The bot is not in the admin room"),
        (lambda home: home.trust(0), "in the admin room with power 0"),
        (lambda home: home.leave(home.made[0], BOT), "The bot is not in the ops room !"),
        (lambda home: home.register("sluice"), "Others are signed in as the bot: DEVICE"),
        (lambda home: setattr(home, "version", "0.99.1"), "Conduit 0.99.1. Sluice changes things"),
    ],
)  # fmt: skip
async def test_a_look_names_what_is_to_be_mended(
    home: Home, tmp_path: Path, harm: Callable[[Home], object], said: str
) -> None:
    await set_up(home, tmp_path)
    harm(home)
    told: list[str] = []
    place = Here(tmp_path, home)
    account = await place.account()
    assert account is not None
    with held(tmp_path / "sluice.db.lock"):
        async with aiohttp.ClientSession() as session:
            assert await look(place, account, session, told.append) == 1
    wrong = [line for line in told if line.startswith("❗")]
    assert len(wrong) == 1, told
    assert said in wrong[0]
    assert "\n   → " in wrong[0]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("config", "There is no token in"),
        ("folder", "cannot be"),
        ("held", "runs in .* already"),
        ("root", "is .*'s: run this as "),
        ("device", "The database is of device OLD"),
        ("token", "does not know the token any more"),
        ("whose", "That token is one of @ana"),
    ],
)
async def test_run_says_in_a_sentence_what_maubot_would_end_with(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str, said: str
) -> None:
    await set_up(home, tmp_path)
    place, path = Here(tmp_path, home), tmp_path / "config.yaml"
    account = await place.account()
    assert account is not None
    text = path.read_text()
    if harm == "config":
        path.unlink()
    elif harm == "root":
        if os.geteuid() == 0:
            os.chown(tmp_path, 4321, -1)
        monkeypatch.setattr(run.os, "geteuid", lambda: 0)
    elif harm == "folder":
        path.write_text(re.sub(r"sqlite:\S+", "sqlite:///proc/none/x.db", text))
    elif harm == "device":
        with sqlite3.connect(tmp_path / "sluice.db") as database:
            database.execute("CREATE TABLE crypto_account (device_id TEXT)")
            database.execute("INSERT INTO crypto_account VALUES ('OLD')")
    elif harm == "token":
        home.sessions.clear()
    elif harm == "whose":
        home.sessions[account.token] = ("@ana:fake.test", account.device)
    lock = tmp_path / ("sluice.db.lock" if harm == "held" else "x")
    with held(lock), pytest.raises(Stopped, match=said):
        await run.ready(place)


async def test_run_goes_on_where_all_is_well_and_where_the_server_is_away(
    home: Home, tmp_path: Path
) -> None:
    await set_up(home, tmp_path)
    await run.ready(Here(tmp_path, home))
    await home.stop()
    await run.ready(Here(tmp_path, home))


# --- the policy


@pytest.mark.parametrize("owners", [1, 2, 3])
@pytest.mark.parametrize("moderators", [0, 1, 2, 5])
def test_a_policy_for_any_number_of_people_holds_without_a_warning(
    owners: int, moderators: int
) -> None:
    people = People(
        tuple(f"@own{n}:fake.test" for n in range(owners)),
        tuple(f"@mo.d{n}:fake.test" for n in range(moderators)),
    )
    text, warnings = policy_writer.write(NAME, "!abc", people, time.time())
    assert warnings == []
    assert len(load(text, server=NAME, now=time.time()).settings.policy.people) == len(people.all)  # type: ignore[union-attr]
    assert ("break_glass" in text) == (owners > 1), "one owner could not review it"


@pytest.mark.parametrize(
    "odd",
    [
        ("no", "on"),
        ("123", "1.5"),
        ("null", "x="),
        ("mod", "owner"),
        ("owner", "mod"),
        ("a/b=c+d", "a-b-c-d"),
        ("spam", "stranger"),
        ("alice", "alice1"),
        ("_x", "x"),
        ("-", "."),
    ],
)
def test_odd_names_are_no_trouble(odd: tuple[str, str]) -> None:
    one, two = (f"@{name}:fake.test" for name in odd)
    for people in (People((one,), (two,)), People((one, two)), People((one,))):
        policy_writer.write(NAME, "!abc", people, time.time())


def test_the_same_name_on_two_servers_is_two_people() -> None:
    people = People(("@ana:fake.test",), ("@ana:other.test",))
    text, _ = policy_writer.write(NAME, "!abc", people, time.time())
    assert '"ana": "@ana:fake.test"' in text
    assert '"ana1": "@ana:other.test"' in text


# --- files, package, units


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "config.yaml"
    files.write(path, "one", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "write", full)
    with pytest.raises(OSError, match="No space"):
        files.write(path, "two", 0o600)
    assert path.read_text() == "one"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mbp.pack(mbp.ROOT, tmp_path_factory.mktemp("package"))


def test_a_package_that_is_a_file_is_unpacked_for_each_version_once(
    packed: Path, tmp_path: Path
) -> None:
    package = Package(packed)
    place = package.unpacked(tmp_path / "plugin")
    assert (place / "maubot.yaml").exists()
    assert (place / "sluice" / "bot.py").exists()
    assert package.unpacked(tmp_path / "plugin") == place
    assert [p.name for p in (tmp_path / "plugin").iterdir()] == [place.name]
    assert package.content() == package.at.read_bytes()


def test_a_folder_is_packed_as_the_package_is(packed: Path, tmp_path: Path) -> None:
    ours = tmp_path / "x.mbp"
    ours.write_bytes(PACKAGE.content())
    with zipfile.ZipFile(ours) as one, zipfile.ZipFile(packed) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())


def test_the_unit_and_the_compose_file_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.setup(["--systemd", "--folder", str(tmp_path / "a b")]) == 0
    unit = capsys.readouterr().out
    assert f'ReadWritePaths="{tmp_path}/a b"' in unit
    assert "Restart=always" in unit
    assert f'run --folder "{tmp_path}/a b"' in unit
    assert cli.setup(["--compose"]) == 0
    compose = YAML(typ="safe").load(capsys.readouterr().out)
    assert compose["networks"]["conduit"]["name"] == "conduit_matrix"
    assert compose["services"]["maubot"]["ports"] == ["127.0.0.1:29316:29316"]
    assert units.COMPOSE.count("/opt/conduit") == 1


def test_ctrl_c_at_a_question_says_that_nothing_is_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    monkeypatch.setattr(cli, "is_a_person_there", lambda: True)
    assert cli.setup(["--folder", str(tmp_path)]) == 130
    assert "Nothing is half done" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
