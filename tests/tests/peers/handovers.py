"""Computes handovers with zoneinfo and dateutil and compares them with those on standard input.

Input: a JSON list of {zone, rule, every, start, shifts: [[from_ms, to_ms], ...]}. Output: what differs; exit code 1 then.
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from dateutil import rrule

FREQUENCIES = {"hourly": rrule.HOURLY, "daily": rrule.DAILY, "weekly": rrule.WEEKLY}
MINUTE = timedelta(minutes=1)


def milliseconds(moment):
    return int(moment.timestamp()) * 1000


def wall(moment, zone):
    return moment.astimezone(zone).replace(tzinfo=None)


def moments(local, zone):
    """The first and the last moment at which a clock on the wall shows this."""
    found = sorted(local.replace(tzinfo=zone, fold=fold).astimezone(timezone.utc) for fold in (0, 1))
    if wall(found[0], zone) == local:
        return found
    # The wall skips it: the first minute that shows anything later.
    low, high = found
    while high - low > MINUTE:
        middle = low + (high - low) // 2
        middle -= timedelta(seconds=middle.second, microseconds=middle.microsecond)
        low, high = (low, middle) if wall(middle, zone) > local else (middle, high)
    return high, high


def expected(case):
    zone = ZoneInfo(case["zone"])
    start = datetime.fromisoformat(case["start"])
    count = len(case["shifts"]) + 3
    handovers = rrule.rrule(FREQUENCIES[case["rule"]], dtstart=start, interval=case["every"], count=count)
    around = [moments(local, zone) for local in handovers]
    shifts = [[milliseconds(this[0]), milliseconds(that[1])] for this, that in zip(around, around[1:])]
    # A shift that lies in an hour that does not come is nobody's.
    return [shift for shift in shifts if shift[0] < shift[1]]


def main():
    wrong = 0
    for case in json.load(sys.stdin):
        for found, right in zip(case["shifts"], expected(case)):
            if found != right:
                wrong += 1
                print(case["zone"], case["rule"], case["every"], case["start"], "ours", found, "theirs", right)
                break
    sys.exit(1 if wrong else 0)


main()
