"""What the demo has to show, read over HTTP into one document; `pages` sets it as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from api.demo.district import POINTS, SUBCENTRE, TOP, who
from api.demo.office import SHANGHAI, Case, Office
from api.demo.progress import NOTICE
from api.demo.stories import STORIES
from api.demo.story import Story
from api.screen import Words
from mediation.codes import label

Document = dict[str, Any]

VIEWER = who("coordinator", TOP)
_SUMMARY = (
    "matter_kind",
    "matter_kind_label",
    "phase",
    "level",
    "level_label",
    "risk",
    "risk_label",
    "case_number",
    "claimed_fen",
    "outcome",
)
_EVENT = ("topic", "label", "role", "role_label", "body_id", "phase", "occurred_at", "recorded_at")
_NOTED = (
    "flag",
    "risk",
    "to_body_id",
    "days_left",
    "extension",
    "outcome",
    "answer",
    "kind",
    "forum",
    "step",
    "result",
    "source",
    "source_document",
    "criteria_code",
    "paid_fen",
    "also_present",
)
_DATE = ("code", "due_on", "rolled_on", "article", "subject", "explain")
_UNMEDIATED = {
    "REGISTERED": Words("已登记", "Registered"),
    "PERFORMING": Words("履行中", "Being performed"),
}
_MILESTONES = {
    "concluded_after_days": "mediation-concluded",
    "performed_after_days": "obligations-fully-performed",
}


def gather(office: Office, cases: Mapping[str, Case]) -> Document:
    """Read everything that is shown, as the coordinator sees it."""
    network = office.get(VIEWER, "/network")
    ladder = office.get(VIEWER, f"/ladders/{network['ladder_ref']}")
    counted = office.get(VIEWER, "/worklist/lanes")
    bodies = list(_bodies(network["bodies"]))
    points = [it for it in bodies if it["body_id"] != SUBCENTRE.body_id]
    return {
        "notice": _both(Words(*NOTICE)),
        "today": office.today.isoformat(),
        "stories": [_told(story) for story in STORIES],
        "cases": {name: _case(office, name, case) for name, case in cases.items()},
        "levels": [{"code": it["code"], "label": it["label"]} for it in ladder["levels"]],
        "lanes": counted["lanes"],
        "at_hand": counted["at_hand"],
        "network": {
            "ladder_ref": network["ladder_ref"],
            "service_points": len(points),
            "by_level": Counter(point["level"] for point in points),
            "points": points,
            "beside": [it for it in bodies if it["body_id"] == SUBCENTRE.body_id],
        },
    }


def event_name(topic: str) -> str:
    """Give the name of an event without prefix and version: `closed` of `case.closed/1`."""
    return topic.removeprefix("case.").partition("/")[0]


def moment(item: Document) -> datetime:
    """Give when an event of a history occurred, in Shanghai time."""
    return datetime.fromisoformat(item["occurred_at"]).astimezone(SHANGHAI)


def _both(words: Words) -> dict[str, str]:
    return words._asdict()


def _told(story: Story) -> Document:
    return {
        "name": story.name,
        "title": _both(story.title),
        "brief": _both(story.brief),
        "is_published": story.is_published,
        "source": _both(story.source) if story.source else None,
        "unsaid": [_both(it) for it in story.unsaid],
    }


def _bodies(bodies: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    real = {point.body_id for point in POINTS if point.is_real}
    for body in bodies:
        yield {
            "body_id": body["body_id"],
            "name": body["name"],
            "level": body["level"],
            "parent_id": body["parent_id"],
            "is_real_name": body["body_id"] in real,
        }
        yield from _bodies(body["children"])


def _case(office: Office, name: str, case: Case) -> Document:
    seen = office.get(VIEWER, f"/cases/{case.case_id}")
    story = next((it for it in STORIES if it.name == name), None)
    document = {
        "case_id": case.case_id,
        "is_published": story is not None and story.is_published,
        "workers": len(seen["applicants"]),
        "body_id": seen["custody_body_id"],
        "agreed_fen": sum(it["obligation"]["agreed_fen"] for it in seen["payments"]),
        "paid_fen": sum(it["applied_fen"] for it in seen["payments"]),
        "is_recurring": any(it["obligation"]["recurring"] for it in seen["payments"]),
        **{field: seen[field] for field in _SUMMARY},
        "phase_label": _phase_label(seen["phase"], seen),
    }
    return document if story is None else document | _whole(office, story, case, seen)


def _phase_label(phase: str, seen: dict[str, Any]) -> dict[str, str]:
    """Give the office's words for a phase, without what they tell of a mediation there was not."""
    is_mediated = {
        "REGISTERED": seen["matter_kind"] == "DISPUTE",
        "PERFORMING": seen["outcome"] in ("AGREED", "SETTLED"),
    }
    if not is_mediated.get(phase, True):
        return _both(_UNMEDIATED[phase])
    words = label("phases", phase)
    return _both(Words(words.zh, words.en))


def _whole(office: Office, story: Story, case: Case, seen: dict[str, Any]) -> Document:
    """Add what is shown of a story alone: its history, what was refused, what is still open."""
    history = office.get(VIEWER, f"/cases/{case.case_id}/history")
    dates = office.get(VIEWER, f"/cases/{case.case_id}/deadlines")
    items = [_event(story, item, seen) for item in history["items"]]
    return {
        "history": items,
        "attempts": [
            {"command": it.command, "code": it.code, "said": _both(it.said)} for it in case.attempts
        ],
        "rehearsed": case.rehearsed,
        "open_dates": [
            {
                **{field: due[field] for field in _DATE},
                "is_over": date.fromisoformat(due["rolled_on"]) < office.today,
            }
            for due in dates["items"]
        ],
        **_days(items),
    }


def _event(story: Story, item: dict[str, Any], seen: dict[str, Any]) -> Document:
    fields = item["fields"]
    noted = {name: fields[name] for name in _NOTED if fields.get(name) not in (None, [])}
    if "obligations" in fields:
        noted["agreed_fen"] = sum(it["agreed_fen"] for it in fields["obligations"])
    if "addressees" in fields:
        noted["addressees"] = [it["kind"] for it in fields["addressees"]]
    if item["reason_code"] is not None:
        noted["reason_code"] = item["reason_code"]
    return {
        **{field: item[field] for field in _EVENT},
        "phase_label": _phase_label(item["phase"], seen),
        "added": story.adds(event_name(item["topic"]), fields.get("source")),
        "irregularities": [it["code"] for it in item["irregularities"]],
        "due": [{"code": due["code"], "due_on": due["due_on"]} for due in item["due"]],
        "fields": noted,
    }


def _days(history: list[Document]) -> Document:
    """Count the days from registration to each milestone; None for one that was not reached."""
    first = {event_name(item["topic"]): item for item in reversed(history)}
    start = moment(history[0]).date()
    return {
        name: (moment(first[event]).date() - start).days if event in first else None
        for name, event in _MILESTONES.items()
    }
