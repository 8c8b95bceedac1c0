"""Writes the published working-day calendar out of the chinesecalendar package (a dev tool).

Nothing that runs in production belongs here: the engine reads only the committed JSON file.
A released file is never rewritten; a correction is a new version with a new ref.
"""

import json
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import chinese_calendar

REF = "cn-2004-2026-v1"
FIRST_YEAR, LAST_YEAR = 2004, 2026
PUBLISHED = Path(__file__).parents[1] / "mediation" / "calendar" / "published" / f"{REF}.json"

NAMES = {
    "New Year's Day": "元旦",
    "Spring Festival": "春节",
    "Tomb-sweeping Day": "清明节",
    "Labour Day": "劳动节",
    "Dragon Boat Festival": "端午节",
    "National Day": "国庆节",
    "Mid-autumn Festival": "中秋节",
    "Anti-Fascist 70th Day": "中国人民抗日战争暨世界反法西斯战争胜利70周年纪念日",
}

# The notice 国办发明电〔2005〕35号 has this Saturday worked (12月31日上班); the package misses it.
MISSING_MAKE_UP_WORKDAYS = frozenset({date(2005, 12, 31)})

SATURDAY = 5


def _short(days: Iterable[date]) -> list[str]:
    return [f"{day:%m-%d}" for day in sorted(days)]


def _year(year: int) -> str:
    """Lay one year out in lines that can be read against the notice."""
    names: dict[str, list[date]] = {}
    for day, name in sorted(chinese_calendar.holidays.items()):
        if day.year == year and day.weekday() < SATURDAY:
            names.setdefault(NAMES[name], []).append(day)
    worked = {*chinese_calendar.workdays, *MISSING_MAKE_UP_WORKDAYS}
    holidays = ",\n".join(
        f"        {json.dumps(name, ensure_ascii=False)}: {json.dumps(_short(days))}"
        for name, days in names.items()
    )
    make_up = json.dumps(_short(day for day in worked if day.year == year))
    return (
        f'    "{year}": {{\n      "holidays": {{\n{holidays}\n      }},\n'
        f'      "make_up_workdays": {make_up}\n    }}'
    )


def render() -> bytes:
    """Return the bytes of the published file: UTF-8 JSON, one line a holiday."""
    source = (
        "国务院办公厅关于2004年至2026年各年度部分节假日安排的通知，"
        "由 chinesecalendar 1.11.0（MIT）整理；"
        "另据国办发明电〔2005〕35号补入2005年12月31日（星期六）上班。"
        "holidays 只列放假的周一至周五，make_up_workdays 为调休上班的周六、周日。"
    )
    years = ",\n".join(_year(year) for year in range(FIRST_YEAR, LAST_YEAR + 1))
    return (
        f'{{\n  "ref": "{REF}",\n  "source": {json.dumps(source, ensure_ascii=False)},\n'
        f'  "years": {{\n{years}\n  }}\n}}\n'
    ).encode()


if __name__ == "__main__":
    if PUBLISHED.exists() and PUBLISHED.read_bytes() != render():
        sys.exit(f"{REF} is published and may not change: give the correction a new ref")
    PUBLISHED.write_bytes(render())
