"""Personal data that went through the door stands in no file, table, log or answer in clear."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from mediation.application import Answer, Request
from mediation.errors import KeyReused, Malformed, MediationError, NotFound
from mediation.kernel import Event
from mediation.privacy import Sealed
from mediation.store.sealing import Sealer
from tests.canary import Found, find_in_bytes, find_in_database, find_in_folder
from tests.wiring import Office, a_registration, an_office, vault_beside

WORKER = {
    "name": "欧阳金丝雀",
    "id_number": "37010219870412447X",
    "phone": "13905318842",
    "address": "青年东路八十八号二单元",
}
TRADER = {"name": "上官金丝雀", "id_number": "370102196511206613", "phone": "15866701293"}
REQUEST = "要求支付二月工资并说明克扣缘由。"
PROOF = "电话录音编号九九八一由其妻代接。"
MINUTES = "申请人当庭陈述患病住院的经过。"
# The twin's own: what it leaves in a shared write-ahead log must convict nobody else.
TWIN_MINUTES = "申请人提到其子女就读学校的名称。"
EXPLANATION = "其家人表示不愿再谈赔偿事宜。"
REFUSED = "从未登记成功的司马金丝雀"
OFFICER = "夏侯金丝雀调解员"
COLLEAGUE = {"name": "诸葛金丝雀", "phone": "18853177420"}
URGENT = "申请人之弟携带汽油到厂门口聚集。"
AGREED = "被申请人承认拖欠并愿分两次付清。"
REHEARSED = "从未写入的皇甫金丝雀，手机尾号。"
CANARIES = (
    *WORKER.values(),
    *TRADER.values(),
    *COLLEAGUE.values(),
    REQUEST,
    PROOF,
    MINUTES,
    EXPLANATION,
    REFUSED,
    OFFICER,
    URGENT,
    AGREED,
    REHEARSED,
)
# At this level they write down every statement with its parameters.
LIBRARIES = ("sqlalchemy.engine", "psycopg", "eventsourcing")


class CarelessSealer(Sealer):
    """A broken twin: one envelope of an event holds its text as it came."""

    def seal_decision(self, items: Any) -> list[Event]:
        clear = [getattr(event, "minutes", None) for _, _, event in items]
        sealed = super().seal_decision(items)
        return [
            event if text is None else msgspec.structs.replace(event, minutes=_open(event, text))
            for event, text in zip(sealed, clear, strict=True)
        ]


def _open(event: Any, text: Any) -> Sealed:
    return msgspec.structs.replace(event.minutes, ct=text.value)


class Told:
    """Everything that was answered, as the default encoders give it."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def add(self, value: Any) -> None:
        """Keep an answer or an error in each of its forms."""
        self.parts += [repr(value).encode(), str(value).encode()]
        if isinstance(value, Answer):
            self.parts += [
                msgspec.json.encode(value),
                msgspec.msgpack.encode(value),
                *(recorded.state for recorded in value.events),
            ]


def _work(office: Office, told: Told, minutes: str = MINUTES) -> UUID:
    """Take one case from registration to its failure, with mistakes on the way."""

    def do(who: str, command: str, body: dict[str, Any], on: Answer | None = None) -> Answer:
        key = f"{len(told.parts)}"
        at = on.stream.id if on else None
        answer = office.do(
            who, key, command, body, stream_id=at, expected_version=on.version if on else None
        )
        told.add(answer)
        told.add(office.do(who, key, command, body, stream_id=at))
        return answer

    def fail(error: type[MediationError], *args: Any, **kwargs: Any) -> None:
        with pytest.raises(error) as caught:
            office.do(*args, **kwargs)
        told.add(caught.value)

    told.add(office.do("system", "officer", "open-account", {"display_name": OFFICER}))
    registration = a_registration(
        applicants=[{"role": "WORKER", **WORKER}],
        respondents=[{"role": "EMPLOYER", "party_kind": "SOLE_TRADER", **TRADER}],
        request=REQUEST,
    )
    case = do("clerk@hengjie", "register-case", registration)
    key = f"{len(told.parts)}"
    do("clerk@hengjie", "register-case", registration)
    fail(KeyReused, "clerk@hengjie", key, "register-case", a_registration(request=REFUSED))
    wrong = a_registration(applicants=[{"role": REFUSED, "name": REFUSED, "phone": REFUSED}])
    fail(Malformed, "clerk@hengjie", "wrong", "register-case", wrong)
    elsewhere = {"party_id": str(UUID(int=1)), "answer": "AGREED", "means": "phone"}
    fail(
        NotFound,
        "clerk@factory",
        "elsewhere",
        "record-consent",
        {**elsewhere, "proof": REFUSED},
        stream_id=case.stream.id,
    )
    parties = [str(party.party_id) for party in case.state.parties]
    agreed = {"answer": "AGREED", "means": "phone", "proof": PROOF}
    for party_id in parties:
        case = do("clerk@hengjie", "record-consent", {"party_id": party_id, **agreed}, case)
    case = do("lead@hengjie", "accept-case", {"within_scope": True, "within_district": True}, case)
    session = {
        "mode": "joint",
        "attending_ids": parties,
        "host_ids": [str(office.accounts["mediator@hengjie"])],
        "minutes": minutes,
        "result": "no-agreement",
    }
    case = do("clerk@hengjie", "record-session", session, case)
    colleague = {"role": "WORKER", **COLLEAGUE}
    case = do("clerk@hengjie", "add-party", {"side": "applicant", "party": colleague}, case)
    urgent = {
        "kind": "first",
        "addressees": [
            {"kind": "party-government", "name": "示例街道综治中心"},
            {"kind": "upper-union", "name": "示例区总工会"},
        ],
        "text": URGENT,
    }
    case = do("clerk@hengjie", "report-urgent", urgent, case)
    draft = {
        "instrument": "SETTLEMENT_AGREEMENT",
        "bound_ids": parties,
        "results": [{"line_id": str(case.state.lines[0].line_id), "result": "agreed"}],
        "text": AGREED,
    }
    case = do("lead@hengjie", "draft-agreement", draft, case)
    _only_tried(office, told, case.stream.id)
    failing = {"cause_code": "no-agreement", "explanation": EXPLANATION}
    case = do("lead@hengjie", "fail-mediation", failing, case)
    return case.stream.id


def _only_tried(office: Office, told: Told, case_id: UUID) -> None:
    """Rehearse what nobody carries out, and let a late entry be approved that never comes."""
    engine = office.mediation
    reported = {"flag": "MEDIA", "explanation": REHEARSED}
    failing = {"cause_code": "no-agreement", "explanation": REHEARSED}
    request = office.ask("lead@hengjie", "try", "fail-mediation", failing, stream_id=case_id)
    rehearsal = engine.rehearse(request)
    told.parts += [repr(rehearsal).encode(), repr(request).encode()]
    with pytest.raises(MediationError) as caught:
        engine.rehearse(
            office.ask("lead@hengjie", "try", "clear-flag", reported, stream_id=case_id)
        )
    told.add(caught.value)
    party = {"role": "WORKER", "name": REHEARSED, "phone": REHEARSED}
    late = {"side": "applicant", "party": party, "occurred_at": "2026-02-16T09:00:00+08:00"}
    request = office.ask("clerk@hengjie", "late", "add-party", late, stream_id=case_id)
    told.add(engine.approve(office.accounts["lead@hengjie"], request))
    with pytest.raises(MediationError) as caught:
        engine.execute(request)
    told.add(caught.value)


@contextmanager
def _watched(database: str, folder: Path, told: Told, capfd: Any) -> Iterator[Office]:
    """Found an office, and keep all that is logged, printed, or written ahead meanwhile."""
    logged = folder / "everything.log"
    handler = logging.FileHandler(logged, encoding="utf-8")
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        with an_office(database) as office:
            yield office
    finally:
        for name in LIBRARIES:
            logging.getLogger(name).setLevel(logging.NOTSET)
        root.setLevel(before)
        root.removeHandler(handler)
        handler.close()
    printed = capfd.readouterr()
    told.parts += [printed.out.encode(), printed.err.encode()]
    assert logged.stat().st_size > 0, "nothing was logged, so nothing was searched"


def _search(
    database: str, folder: Path, told: Told, canaries: tuple[str, ...] = CANARIES
) -> list[Found]:
    found = [hit for part in told.parts for hit in find_in_bytes(part, canaries, where="answers")]
    found += find_in_folder(folder, canaries)
    for url in {database, vault_beside(database)}:
        found += find_in_database(url, canaries)
    if not database.startswith("sqlite"):
        found += find_in_bytes(_write_ahead(database), canaries, where="the write-ahead log")
    return found


def _write_ahead(database: str) -> bytes:
    """Read the segment of PostgreSQL's write-ahead log that is being written."""
    engine = sa.create_engine(make_url(database), poolclass=sa.NullPool)
    read = (
        "SELECT pg_read_binary_file('pg_wal/' || pg_walfile_name(pg_current_wal_lsn()), 0, "
        "(pg_walfile_name_offset(pg_current_wal_lsn())).file_offset)"
    )
    with engine.connect() as connection:
        return bytes(connection.exec_driver_sql(read).scalar_one())


def test_no_canary_is_found_in_anything_written_logged_or_answered(database, tmp_path, capfd):
    """Names, numbers, phones and texts pass the door, also in refused commands; none is found.

    Not even while the store is open, when SQLite's write-ahead log is still beside it.
    """
    told = Told()
    with _watched(database, tmp_path, told, capfd) as office:
        case_id = _work(office, told)
        assert find_in_folder(tmp_path, CANARIES) == []
        state, opened = office.mediation.open_case(
            case_id, actor_id=office.accounts["clerk@hengjie"], route="GET /cases/{case_id}"
        )

    written = {REQUEST, PROOF, MINUTES, EXPLANATION, URGENT, AGREED, *COLLEAGUE.values()}
    assert written <= set(opened.values())
    assert REHEARSED not in opened.values()
    assert state.applicants[0].name is not None
    assert opened[state.applicants[0].name] == WORKER["name"]
    assert _search(database, tmp_path, told) == []


def test_one_field_left_in_clear_is_found(database, tmp_path, capfd):
    """The broken twin leaves the minutes open, and the same search finds them, and only them."""
    told = Told()
    with _watched(database, tmp_path, told, capfd) as office:
        careful = office.mediation._sealer
        office.mediation._sealer = CarelessSealer(careful._vault, office.mediation.log.log_id)
        _work(office, told, TWIN_MINUTES)
    found = _search(database, tmp_path, told, (*CANARIES, TWIN_MINUTES))

    where = {hit.where for hit in found}
    assert {hit.canary for hit in found} == {TWIN_MINUTES}
    assert "answers" in where
    assert any("event.state" in place for place in where)
    assert database.startswith("sqlite") or "the write-ahead log" in where


def test_a_door_that_logs_its_commands_is_found(database, tmp_path, capfd):
    """The other broken twin writes what it is sent to the log of the program."""
    told = Told()
    with _watched(database, tmp_path, told, capfd) as office:
        execute = office.mediation.execute

        def telling(request: Request) -> Answer:
            seen = msgspec.json.encode(request, enc_hook=lambda it: getattr(it, "_value", str(it)))
            logging.getLogger("door").info("%s", seen.decode())
            return execute(request)

        office.mediation.execute = telling  # type: ignore[method-assign]
        _work(office, told)
    found = _search(database, tmp_path, told)

    assert {hit.where for hit in found} == {"everything.log"}
    assert {hit.canary for hit in found} >= {*WORKER.values(), MINUTES, REFUSED}
