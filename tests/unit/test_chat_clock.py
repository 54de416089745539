"""Moments and spans as people read them."""

from __future__ import annotations

from datetime import timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.text.times import Clock, about, over, span, typed
from tests.unit.scenes import at

UTC = Clock(at("14:20"))


def test_the_zone_is_always_there_and_the_date_when_it_is_not_today():
    assert UTC.at(at("15:03")) == "15:03 UTC"
    assert UTC.at(at("09:12", day=24)) == "24 Nov 09:12 UTC"
    assert UTC.dated(at("09:00")) == "23 Nov 09:00 UTC"
    assert UTC.at(at("14:20") - 366 * 86400) == "22 Nov 2025 14:20 UTC"
    assert UTC.between(at("13:40"), at("13:52")) == "13:40 to 13:52 UTC"
    assert UTC.between(at("13:40") + 3, at("13:40") + 21) == "13:40:03 to 13:40:21 UTC"
    assert UTC.between(at("23:40", day=22), at("00:10")) == "22 Nov 23:40 UTC to 00:10 UTC"


def test_today_is_today_in_the_zone_of_the_policy():
    berlin = Clock(at("23:30"), ZoneInfo("Europe/Berlin"))
    assert berlin.at(at("23:10")) == "00:10 CET"
    assert berlin.at(at("22:10")) == "23 Nov 23:10 CET"
    assert Clock(at("14:20"), ZoneInfo("Asia/Dubai")).at(at("14:20")) == "18:20 UTC+04"
    assert Clock(0, timezone(timedelta(hours=5))).at(0) == "05:00 UTC+05:00"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 seconds"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (600, "10 minutes"),
        (3600, "1 hour"),
        (5400, "90 minutes"),
        (7200, "2 hours"),
        (86400, "1 day"),
        (1079.6, "18 minutes"),
        (-5, "0 seconds"),
        (30 * 3600, "30 hours"),
        (7 * 86400, "7 days"),
    ],
)
def test_spans_are_exact_enough_to_act_on(seconds, said):
    assert span(seconds) == said


def test_spans_in_brackets_in_commands_and_in_the_past():
    assert (about(65000), about(40), about(3000)) == ("18 h", "1 min", "50 min")
    assert about(3 * 86400) == "3 days"
    assert (typed(1200), typed(3600), typed(7 * 86400), typed(0)) == ("20m", "1h", "7d", "0s")
    assert (over(3600), over(600)) == ("hour is over", "10 minutes are over")


@given(st.floats(-1e12, 1e15))
def test_no_timestamp_raises(moment):
    assert UTC.at(moment).endswith("UTC")
