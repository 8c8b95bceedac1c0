"""The benchmarks answer in the shape that is promised, and would not let a lossy log pass."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.utils import Environment

from benchmarks import appending, exactness, goals
from benchmarks.bench import libpq
from benchmarks.history import a_log, copies
from benchmarks.load import Acknowledged
from benchmarks.peers.naive import environment_of
from benchmarks.report import is_good, row, table
from mediation.store import Receipt, Recorded
from tests.wiring import a_registration, an_office

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
WRITERS = 8
SECONDS = 1.0
ATTEMPTS = 30
INTERFACE = {
    "id": str,
    "backend": str,
    "ours": float,
    "reference": float,
    "ratio": float,
    "floor": float,
    "target": float,
    "ok": bool,
    "unit": str,
}


def started(*arguments: str) -> subprocess.Popen[str]:
    """Run the benchmarks as a user does."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_run_prints_rows_in_the_promised_shape():
    """`--only` gives that goal alone, as a JSON list; progress goes to standard error."""
    out, said = started("--quick", "--json", "--only", "G15").communicate(timeout=240)
    rows = json.loads(out)

    assert [(it["id"], it["backend"], it["unit"]) for it in rows] == [("G15", "postgresql", "B")]
    for name, kind in INTERFACE.items():
        assert isinstance(rows[0][name], kind), name
    assert rows[0]["ratio"] == pytest.approx(rows[0]["ours"] / rows[0]["reference"], rel=0.01)
    assert rows[0]["dominates"]
    assert "postgresql G15" in said


def test_a_goal_that_does_not_exist_is_refused():
    """A mistyped goal is no empty run."""
    process = started("--only", "G99")
    _, said = process.communicate(timeout=60)

    assert process.returncode == 2
    assert "G99" in said


def test_an_interrupted_run_prints_what_it_has():
    """Ctrl-C ends it in order: whatever was measured is printed, and the exit code tells."""
    process = started("--quick", "--json", "--only", "G15")
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    assert json.loads(out) == []


def test_a_floor_is_read_in_the_direction_that_the_goal_names():
    """A rate has to be at least, a cost at most; only lost events make a run bad."""
    slow = row(goals.COMMANDS_PLAIN, "sqlite", [1.0, 3.0, 2.0], [2.0, 2.0, 2.0], size="")
    dear = row(goals.COMMAND_CPU, "sqlite", [3.0], [2.0], size="")
    cheap = row(goals.COMMAND_CPU, "sqlite", [0.2], [2.0], size="")
    exact = row(goals.EXACTNESS, "sqlite", [0.0], [1000.0], size="")
    lossy = row(goals.EXACTNESS, "sqlite", [3.0], [930.0], size="")

    assert (slow.ratio, slow.ok, dear.ok, cheap.ok) == (1.0, False, False, True)
    assert is_good([slow, dear, exact])
    assert not is_good([exact, lossy])
    assert "below" in table([lossy], [])


def test_a_reader_of_our_log_misses_nothing(database):
    """G16 at work: eight writers at full speed, and every position is seen once, in order."""
    with ExitStack() as keeping:
        log = a_log(database, keeping)
        found = exactness.tailed(
            [appending.ordered(log)] * WRITERS,
            lambda after: [it.position for it in log.read(after, 1000)],
            lambda: [it.position for it in log.read(0, log.head().position)],
            SECONDS,
        )

    assert found.wrong == 0
    assert found.checked > WRITERS


def test_a_log_whose_order_is_not_held_is_found(postgresql_database):
    """The event library with its database functions on takes no lock: its readers miss events."""
    env = environment_of(libpq(postgresql_database)) | {"POSTGRES_ENABLE_DB_FUNCTIONS": "yes"}
    factory = InfrastructureFactory.construct(Environment("Cases", env))
    recorder = factory.application_recorder()
    wrong = 0

    def append(stream: UUID, version: int, topic: str, state: bytes) -> None:
        recorder.insert_events([StoredEvent(stream, version, topic, state)])

    begins = 0

    def read(after: int) -> list[int]:
        return [it.id for it in recorder.select_notifications(max(after, begins) + 1, 1000)]

    def stored() -> list[int]:
        with psycopg.connect(libpq(postgresql_database)) as server:
            query = "SELECT notification_id FROM cases_events WHERE notification_id > %s ORDER BY 1"
            return [it[0] for it in server.execute(query, (begins,)).fetchall()]

    try:
        for _ in range(ATTEMPTS):
            wrong = exactness.tailed([append] * WRITERS, read, stored, SECONDS).wrong
            if wrong:
                break
            begins = max(stored(), default=begins)
    finally:
        factory.close()

    assert wrong > 0


def test_an_answer_that_is_not_in_the_log_is_found(database):
    """A 2xx whose command was lost, or stands elsewhere, is counted; one that is there is not."""
    with an_office(database) as office:
        lead, key = office.accounts["lead@hengjie"], "once"
        answer = office.do("lead@hengjie", key, "register-case", a_registration())
        there = Acknowledged(str(lead), key, answer.position)
        elsewhere = Acknowledged(str(lead), key, answer.position + 1)
        lost = Acknowledged(str(lead), uuid4().hex, answer.position)

        assert exactness.judged(office.mediation.log, [there]) == (0, 1)
        assert exactness.judged(office.mediation.log, [there, elsewhere, lost]) == (2, 3)
        with pytest.raises(LookupError):
            exactness.judged(office.mediation.log, [])


def test_a_run_in_which_nothing_was_written_proves_nothing(database):
    """Writers that write nothing, and a reader who misses none of it, are no exact log."""

    def append(_stream: UUID, _version: int, _topic: str, _state: bytes) -> None:
        time.sleep(0.01)

    with pytest.raises(LookupError):
        exactness.tailed([append], lambda _after: [], list, 0.1)


def test_copied_lives_are_spread_over_days_and_nothing_else_changes():
    """Every date of a copy is moved by the same whole weeks; its bytes stay as many."""
    case_id, was = uuid4(), date(2026, 11, 27)
    receipt = Receipt(
        command_id=uuid4(), body_mac=bytes(32), command_type="register-case", result=b"{}"
    )
    said = {
        "case_id": str(case_id),
        "occurred_at": f"{was}T01:00:00Z",
        "due_on": str(was + timedelta(days=5)),
        "code": "2026-11",
    }
    stored = Recorded(
        originator_id=case_id,
        originator_version=1,
        topic="case.registered/1",
        state=json.dumps(said).encode(),
        id=1,
        recorded_at=datetime(2026, 11, 27, tzinfo=UTC),
        command_end=1,
    )
    lives = [(case_id, [(receipt, [stored])])]

    days = Counter[date]()
    for copied in copies(lives, 400, weeks=60):
        ((*_, state),) = copied.events
        told = json.loads(state)
        on = date.fromisoformat(told["occurred_at"].partition("T")[0])
        days[on] += 1
        assert date.fromisoformat(told["due_on"]) - on == timedelta(days=5)
        assert (told["code"], len(state)) == ("2026-11", len(stored.state))

    assert len(days) == 60
    assert {on.weekday() for on in days} == {was.weekday()}
    assert (min(days), max(days)) == (was - timedelta(weeks=59), was)
