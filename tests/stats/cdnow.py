"""The CDNOW cohort as the papers use it: the 1-in-10 sample, weeks, calibration to 1997-09-30."""

from datetime import date
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
_PLACES = [place / "shared/data/cdnow" for place in (ROOT.parent, ROOT.parent.parent)]
MASTER = next((place / "CDNOW_master.txt" for place in _PLACES if place.exists()), None)


def summary() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, t_x, T (weeks) and mean value of the repeat purchases."""
    for place in _PLACES:
        if (place / "CDNOW_sample.txt").exists():
            return _from_purchases(place / "CDNOW_sample.txt")
    from lifetimes.datasets import load_cdnow_summary_data_with_monetary_value

    d = load_cdnow_summary_data_with_monetary_value()
    return tuple(d[c].to_numpy(dtype=float) for c in ("frequency", "recency", "T", "monetary_value"))  # type: ignore[return-value]


def _from_purchases(file: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    end = date(1997, 9, 30)
    spent: dict[str, dict[date, float]] = {}
    for line in file.read_text().splitlines():
        if not line.strip():
            continue
        _, who, when, _, dollars = line.split()
        day = date(int(when[:4]), int(when[4:6]), int(when[6:]))
        if day <= end:
            days = spent.setdefault(who, {})
            days[day] = days.get(day, 0.0) + float(dollars)
    rows = []
    for days in spent.values():
        first, last = min(days), max(days)
        again = [v for d, v in days.items() if d != first]
        rows.append((len(again), (last - first).days / 7, (end - first).days / 7, sum(again) / max(len(again), 1)))
    x, t_x, T, mean = np.array(rows).T
    return x, t_x, T, mean


def halves() -> tuple[np.ndarray, ...]:
    """All 23,570 customers as the product counts them (days with a purchase, the first one's value included): x, t_x, T
    (days) and mean value (cents) up to 1997-09-30, then purchases and value of the 273 days from there on.
    """
    assert MASTER is not None
    end = date(1997, 9, 30).toordinal()
    spent: dict[str, dict[int, int]] = {}
    for line in MASTER.read_text().splitlines()[1:]:
        if line.strip():
            who, when, _, dollars = line.split()
            day = date(int(when[:4]), int(when[4:6]), int(when[6:])).toordinal()
            days = spent.setdefault(who, {})
            days[day] = days.get(day, 0) + round(float(dollars) * 100)
    rows = []
    for days in spent.values():
        first, last = min(days), max(d for d in days if d <= end)
        past = [v for d, v in days.items() if d <= end]
        later = [v for d, v in days.items() if d > end]
        rows.append((len(past) - 1, last - first, end - first, sum(past) / len(past), len(later), sum(later)))
    return tuple(np.array(rows, dtype=float).T)
