"""The CDNOW cohort as the papers use it: the 1-in-10 sample, weeks, calibration to 1997-09-30."""

from datetime import date
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def summary() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, t_x, T (weeks) and mean value of the repeat purchases."""
    for place in (ROOT.parent / "shared", ROOT.parent.parent / "shared"):
        file = place / "data/cdnow/CDNOW_sample.txt"
        if file.exists():
            return _from_purchases(file)
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
