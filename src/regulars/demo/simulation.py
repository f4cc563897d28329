"""What happens in the world, week by week, as plain numpy columns. How it is written down as events: `rendering`.

Each week every customer may browse, buy, be displeased, answer, complain, and decide to stay away; each week has its
own random numbers, so memory holds one week and the same seed gives the same world.

Planted truths: who decides to leave, when and why (price, service, competitor, other); who is price-sensitive and who
quality-oriented; who comes every week on their day; one bad store; a price rise; a competitor's opening; a season for
each category.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regulars.demo import chain
from regulars.kernel import clock

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY = 86_400_000_000
WEEKS = 104
REASONS = ("price", "service", "competitor", "other")
ORDINARY, PRICE_SENSITIVE, QUALITY = 0, 1, 2
FADING_WEEKS = 5
"""Between the decision to leave and the last order."""

KINDS = (
    "Page Viewed", "Product Viewed", "Products Searched", "Order Completed", "Order Refunded", "Booking Made",
    "Visit Checked In", "Ticket Opened", "Ticket Resolved", "Complaint Filed", "Survey Answered", "Message Sent",
    "Message Opened", "Message Clicked", "Coupon Issued", "Coupon Redeemed",
)  # fmt: skip
(
    PAGE, VIEW, SEARCH, ORDER, REFUND, BOOKING, CHECK_IN, TICKET, RESOLVED, COMPLAINT, SURVEY, SENT, OPENED, CLICKED,
    ISSUED, REDEEMED,
) = range(len(KINDS))  # fmt: skip

ONLINE = -1
"""In the column store: no store."""

ROW = np.dtype(
    [
        ("at", "i8"),  # epoch µs
        ("who", "i4"),  # row of the customer
        ("kind", "i1"),
        ("store", "i1"),  # of chain.STORES, or ONLINE
        ("item", "i2"),  # product, path, query, topic or message channel, by kind
        ("number", "i8"),  # of the order, booking, ticket, coupon or campaign
        ("amount", "i8"),  # fen; of a survey: 0 is nps, 1 is csat
        ("score", "i2"),
        ("other", "i8"),  # discount of an order, the order of a coupon or survey, the visit's booking …
    ]
)
LINE = np.dtype([("order", "i8"), ("product", "i2"), ("quantity", "i2"), ("price", "i8")])
Rows = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Week:
    """Rows in time order and the lines of the orders among them, in the orders' sequence of numbers."""

    rows: Rows
    lines: Rows


class People:
    """The traits of everybody, drawn once; columns by row of the customer."""

    def __init__(self, seed: int, size: int, start: int, last: int) -> None:
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 1])))
        self.size = size
        self.visitor = rng.random(size) < 0.1  # look around and never become known
        days = last - start + 1
        early = rng.random(size) < 0.4
        joined = np.where(early, start - rng.integers(1, 700, size), start + rng.integers(0, days, size))
        self.joined = joined * DAY + _local(rng.integers(9 * 3600, 21 * 3600, size))
        self.first_seen = np.where(early, start, joined - rng.integers(0, 15, size))
        self.browsed_first = ~self.visitor & ~early & (self.first_seen < joined)
        self.last_seen = np.where(self.visitor, self.first_seen + rng.integers(0, 40, size), last)
        self.type = rng.choice(3, size, p=[0.5, 0.3, 0.2])
        weight = np.array([s.weight for s in chain.STORES])
        self.home = rng.choice(len(chain.STORES), size, p=weight / weight.sum())
        self.rhythm = (rng.random(size) < 0.06) & ~self.visitor
        self.weekday = rng.integers(0, 7, size)
        self.hour = rng.integers(9, 20, size)
        self.rate = np.exp(rng.normal(-2.75, 0.75, size))  # orders a week
        self.online = rng.beta(2, 4, size)
        self.favourite = rng.choice(len(chain.CATEGORIES), size, p=_weights())
        self.browsing = np.exp(rng.normal(-2.02, 0.6, size)) * np.where(self.type == QUALITY, 1.5, 1.0)
        self.consents = (rng.random(size) < 0.8) & ~self.visitor
        self.channel = rng.choice(3, size, p=[0.35, 0.5, 0.15])


class Simulation:
    """Runs once, by `weeks`; afterwards `truths` tells what was planted."""

    def __init__(self, seed: int, customers: int, last_day: date, browsing: float = 1.0) -> None:
        self.seed, self.browsing_factor = seed, browsing
        self.last = clock.day_number(last_day)
        self.start = clock.day_number(last_day - timedelta(days=7 * WEEKS - 1))
        self.people = People(seed, customers, self.start, self.last)
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 2])))
        self.bad_store = int(rng.integers(0, len(chain.STORES)))
        self.price_rise_week = int(rng.integers(60, 75))
        self.competitor_week = int(rng.integers(70, 85))
        others = sorted({s.city for i, s in enumerate(chain.STORES) if i != self.bad_store})
        self.competitor_city = others[int(rng.integers(0, len(others)))]
        self.decided = np.full(customers, -1, dtype=np.int64)  # the day they decided to leave
        self.reason = np.full(customers, -1, dtype=np.int64)
        self.finished = False

    def weeks(self) -> Iterator[Week]:
        """Every week's rows, in time order over all weeks."""
        p, size = self.people, self.people.size
        products, prices = _products()
        mood = np.zeros(size)
        coupon = np.zeros(size, dtype=np.int64)
        coupon_until = np.full(size, -1, dtype=np.int64)
        cities = np.array([s.city == self.competitor_city for s in chain.STORES])
        near_competitor = cities[p.home]
        numbers = dict.fromkeys(("order", "booking", "ticket", "coupon"), 0)
        waiting = np.zeros(0, dtype=ROW)

        def take(what: str, many: int) -> Ints:
            numbers[what] += many
            return np.arange(numbers[what] - many + 1, numbers[what] + 1)

        for week in range(WEEKS):
            rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, 3, week])))
            first = self.start + 7 * week
            end = (first + 7) * DAY + _local(0)
            by_day = np.roll(_DAYS, -((first + 3) % 7))
            out: list[Rows] = [waiting]
            season = _season(first + 3)
            here = (p.first_seen <= first + 6) & (p.last_seen >= first)
            member = here & ~p.visitor & (p.joined < (first + 7) * DAY)
            fading = (self.decided >= 0) & (first < self.decided + 7 * FADING_WEEKS)
            gone = (self.decided >= 0) & ~fading

            # -- buying
            held = coupon_until >= week
            pull = np.where(fading, 0.3, 1.0) * np.where(held & (p.type == PRICE_SENSITIVE), 1.7, 1.0)
            risen = week >= self.price_rise_week
            times = rng.poisson(p.rate * pull)
            steady = rng.random(size) < np.where(fading, 0.3, 0.9)
            times = np.where(p.rhythm, steady, times) * (member & ~gone)
            who = np.repeat(np.arange(size), times)
            n = who.size
            day = np.where(p.rhythm[who], (p.weekday[who] - (first + 3)) % 7, rng.choice(7, n, p=by_day))
            online = (rng.random(n) < p.online[who]) & ~p.rhythm[who]
            hour = np.where(p.rhythm[who], p.hour[who], np.where(online, _hours(rng, n, _WEB), _hours(rng, n, _SHOP)))
            at = (first + day) * DAY + _local(hour * 3600 + rng.integers(0, 3600, n)) + rng.integers(0, 1_000_000, n)
            late = at < p.joined[who] + 60_000_000  # the first order is not before they join
            keep = ~late
            who, at, online = who[keep], at[keep], online[keep]
            n = who.size
            store = np.where(rng.random(n) < 0.9, p.home[who], rng.integers(0, len(chain.STORES), n))
            store = np.where(online, ONLINE, store)
            pieces = 1 + np.minimum(rng.poisson(0.7, n), 4)
            order = take("order", n)
            of_line = np.repeat(np.arange(n), pieces)
            many = of_line.size
            likes = rng.random(many) < 0.45 * np.minimum(season[p.favourite[who[of_line]]], 1.6)
            weight = _weights() * season
            category = rng.choice(len(chain.CATEGORIES), many, p=weight / weight.sum())
            category = np.where(likes, p.favourite[who[of_line]], category)
            one, two = rng.random(many), rng.random(many)
            kind = p.type[who[of_line]]
            place = np.where(kind == PRICE_SENSITIVE, np.minimum(one, two), one)
            place = np.where(kind == QUALITY, np.maximum(one, two), place**1.5)
            product = products[category, (place * (products[category] >= 0).sum(axis=1)).astype(np.int64)]
            quantity = 1 + (rng.random(many) < 0.12)
            price = prices[product]
            price = np.where(risen, (price * 108 // 10_000) * 100, price)
            value = np.bincount(of_line, weights=quantity * price, minlength=n).astype(np.int64)
            mine = p.type[who]
            uses = held[who] & (rng.random(n) < np.array([0.5, 0.9, 0.12])[mine])
            uses &= np.concatenate([[True], who[1:] != who[:-1]]) if n else uses  # a coupon is used once
            code = ~uses & (rng.random(n) < np.array([0.08, 0.45, 0.015])[mine])
            discount = np.where(uses, np.minimum(20_00, value // 2), np.where(code, value // 1000 * 100, 0))
            total = value - discount
            out.append(_rows(at, who, ORDER, store, np.where(uses, 1, np.where(code & (discount > 0), 2, 0)), order,
                             total, 0, discount))  # fmt: skip
            out.append(_rows(at[uses] + 1_000_000, who[uses], REDEEMED, store[uses], 0, coupon[who[uses]],
                             discount[uses], 0, order[uses]))  # fmt: skip
            coupon_until[who[uses]] = -1
            lines = np.zeros(many, dtype=LINE)
            lines["order"], lines["product"], lines["quantity"], lines["price"] = (
                order[of_line],
                product,
                quantity,
                price,
            )

            # -- how it was
            bad = store == self.bad_store
            trouble = rng.random(n) < np.where(bad, 0.10, np.where(store == ONLINE, 0.006, 0.008))
            back = rng.random(n) < np.where(trouble, 0.35, 0.012)
            when = at + rng.integers(3600, 3 * 86_400, n) * 1_000_000
            out.append(_rows(when[back], who[back], REFUND, store[back], 0, order[back], total[back], 0, 0))
            speaks = trouble & (rng.random(n) < 0.75)
            when = at + rng.integers(1800, 86_400, n) * 1_000_000
            out.append(_rows(when[speaks], who[speaks], COMPLAINT, store[speaks],
                             rng.choice(5, int(speaks.sum()), p=[0.35, 0.25, 0.2, 0.12, 0.08]),
                             take("ticket", int(speaks.sum())), 0, 0, order[speaks]))  # fmt: skip
            np.subtract.at(mood, who, np.where(trouble, 2.0, np.where(bad, 0.25, 0.0)))
            asked = rng.random(n) < np.where(trouble, 0.35, 0.11)
            nps = rng.random(n) < 0.5
            feeling = mood[who] + np.where(bad, -1.0, 0.0) + rng.normal(0, 0.8, n)
            score = np.where(nps, np.clip(np.round(8.6 + 1.3 * feeling), 0, 10),
                             np.clip(np.round(4.5 + 0.7 * feeling), 1, 5)).astype(np.int64)  # fmt: skip
            when = at + rng.integers(20 * 3600, 40 * 3600, n) * 1_000_000
            out.append(_rows(when[asked], who[asked], SURVEY, store[asked], 0, 0, np.where(nps, 0, 1)[asked],
                             score[asked], order[asked]))  # fmt: skip

            # -- looking around
            curious = np.where(gone, 0.04, np.where(fading, 0.7, 1.0))
            worried = fading & (self.reason == 0)
            sessions = rng.poisson(p.browsing * self.browsing_factor * curious + np.where(worried, 0.6, 0.0)) * here
            visit = np.repeat(np.arange(size), sessions)
            opened = (first + rng.choice(7, visit.size, p=by_day)) * DAY
            opened += _local(_hours(rng, visit.size, _WEB) * 3600 + rng.integers(0, 3600, visit.size))
            steps = 1 + rng.poisson(np.where(p.type[visit] == QUALITY, 3.2, 2.0))
            looks = np.repeat(np.arange(visit.size), steps)
            pause = rng.exponential(45, looks.size) * 1_000_000
            begins = np.concatenate([[0], np.cumsum(steps)[:-1]]).astype(np.int64) if visit.size else visit[:0]
            gone_by = np.cumsum(pause)
            since = gone_by - (gone_by[begins] - pause[begins])[looks] if looks.size else gone_by
            when = opened[looks] + since.astype(np.int64) + rng.integers(0, 1_000_000, looks.size)
            looker = visit[looks]
            ok = (_day(when) >= p.first_seen[looker]) & (_day(when) <= p.last_seen[looker])
            looker, when = looker[ok], when[ok]
            what = rng.random(looker.size)
            thrifty = (p.type[looker] == PRICE_SENSITIVE) * 0.12 + worried[looker] * 0.4
            page = what < 0.35 + thrifty
            seek = ~page & (what > 0.92)
            view = ~page & ~seek
            path = rng.choice(len(chain.PATHS), looker.size, p=[0.38, 0.27, 0.05, 0.1, 0.1, 0.1])
            path = np.where(rng.random(looker.size) < thrifty * 1.6, chain.PRICES, path)
            out.append(_rows(when[page], looker[page], PAGE, ONLINE, path[page], 0, 0, 0, 0))
            words = rng.integers(0, len(chain.QUERIES), looker.size)
            words = np.where(rng.random(looker.size) < thrifty * 2, 5 + words % 2, words)
            out.append(_rows(when[seek], looker[seek], SEARCH, ONLINE, words[seek], 0, 0, 0, 0))
            wish = np.where(rng.random(looker.size) < 0.5, p.favourite[looker],
                            rng.choice(len(chain.CATEGORIES), looker.size, p=weight / weight.sum()))  # fmt: skip
            seen = products[wish, (rng.random(looker.size) * (products[wish] >= 0).sum(axis=1)).astype(np.int64)]
            shown = np.where(risen, (prices[seen] * 108 // 10_000) * 100, prices[seen])
            out.append(_rows(when[view], looker[view], VIEW, ONLINE, seen[view], 0, shown[view], 0, 0))

            # -- bookings and questions
            wants = np.where(p.favourite == chain.TREATMENTS, 0.05, 0.006) * season[chain.TREATMENTS]
            wants *= np.where(fading, 0.3, 1.0) * (member & ~gone)
            booker = np.flatnonzero(rng.random(size) < wants)
            n = booker.size
            when = (first + rng.integers(0, 7, n)) * DAY + _local(rng.integers(9 * 3600, 22 * 3600, n))
            fine = when > p.joined[booker] + 60_000_000
            booker, when = booker[fine], when[fine]
            n = booker.size
            booking = take("booking", n)
            at_home = p.home[booker]
            treatment = products[chain.TREATMENTS, rng.integers(0, (products[chain.TREATMENTS] >= 0).sum(), n)]
            out.append(_rows(when, booker, BOOKING, at_home, treatment, booking, 0, 0, 0))
            comes = rng.random(n) < 0.9
            later = (_day(when) + rng.integers(1, 7, n)) * DAY
            later += _local(rng.integers(10 * 3600, 20 * 3600, n))
            out.append(_rows(later[comes], booker[comes], CHECK_IN, at_home[comes], treatment[comes], booking[comes], 0,
                             0, 0))  # fmt: skip
            asker = np.flatnonzero(rng.random(size) < 0.006 * (member & ~gone))
            n = asker.size
            when = (first + rng.integers(0, 7, n)) * DAY + _local(rng.integers(9 * 3600, 22 * 3600, n))
            fine = when > p.joined[asker] + 60_000_000
            asker, when = asker[fine], when[fine]
            n = asker.size
            ticket, topic = take("ticket", n), rng.integers(0, len(chain.QUESTIONS), n)
            out.append(_rows(when, asker, TICKET, ONLINE, topic, ticket, 0, 0, 0))
            when = when + (rng.exponential(3 * 3600, n) * 1_000_000).astype(np.int64) + 60_000_000
            out.append(_rows(when, asker, RESOLVED, ONLINE, topic, ticket, 0, 0, 0))

            # -- campaigns, every fourth week; every other one carries a coupon
            if week % 4 == 2:
                campaign = week // 4 + 1
                reach = np.flatnonzero(p.consents & (p.joined < first * DAY) & (rng.random(size) < 0.3))
                n = reach.size
                when = (first + 2) * DAY + _local(10 * 3600 + rng.integers(0, 1800, n)) + rng.integers(0, 1_000_000, n)
                by = p.channel[reach]
                out.append(_rows(when, reach, SENT, ONLINE, by, campaign, 0, 0, np.arange(n)))
                away = gone[reach]
                reads = rng.random(n) < np.where(away, 0.05, 0.35)
                seen_at = when + (rng.exponential(4 * 3600, n) * 1_000_000).astype(np.int64) + 5_000_000
                out.append(_rows(seen_at[reads], reach[reads], OPENED, ONLINE, by[reads], campaign, 0, 0,
                                 np.arange(n)[reads]))  # fmt: skip
                clicks = reads & (rng.random(n) < np.array([0.2, 0.4, 0.12])[p.type[reach]])
                out.append(_rows(seen_at[clicks] + 20_000_000, reach[clicks], CLICKED, ONLINE, by[clicks], campaign, 0,
                                 0, np.arange(n)[clicks]))  # fmt: skip
                if campaign % 2 == 0:
                    given = take("coupon", n)
                    out.append(_rows(when + 1_000_000, reach, ISSUED, ONLINE, 0, given, 20_00, 0, campaign))
                    coupon[reach] = given
                    coupon_until[reach] = week + 4

            # -- deciding to leave
            rise = 3.0 if self.price_rise_week <= week < self.price_rise_week + 12 else 1.0
            open_ = self.competitor_week <= week < self.competitor_week + 20
            upset = np.bincount(who[trouble], minlength=size) > 0
            hazard = np.stack(
                [
                    np.array([0.0009, 0.0028, 0.0004])[p.type] * rise,
                    np.where(upset, 0.6, np.where(mood < -1.5, 0.02, 0.0005)),
                    np.where(near_competitor & open_, 0.014, 0.0008),
                    np.full(size, 0.0004),
                ]
            )
            settled = member & (self.decided < 0) & (p.joined < (first - 21) * DAY)
            fate = rng.random(size)
            bounds = np.cumsum(hazard, axis=0)
            leaves = settled & (fate < bounds[-1])
            self.reason[leaves] = (fate[leaves] >= bounds[:, leaves]).sum(axis=0)
            self.decided[leaves] = first + 7
            mood *= 0.93

            rows = np.concatenate(out)
            now = rows["at"] < end
            waiting = rows[~now]
            rows = rows[now]
            yield Week(rows[np.lexsort((rows["number"], rows["kind"], rows["who"], rows["at"]))], lines)
        self.finished = True

    def truths(self) -> dict[str, Any]:
        """What was planted, by rows of customers; runs the world if nobody has."""
        if not self.finished:
            for _ in self.weeks():
                pass
        p = self.people
        left = np.flatnonzero(self.decided >= 0)
        return {
            "seed": self.seed,
            "first_day": clock.day_of(self.start).isoformat(),
            "last_day": clock.day_of(self.last).isoformat(),
            "bad_store": chain.STORES[self.bad_store].name,
            "price_rise": clock.day_of(self.start + 7 * self.price_rise_week).isoformat(),
            "competitor": {
                "city": self.competitor_city,
                "opens": clock.day_of(self.start + 7 * self.competitor_week).isoformat(),
            },
            "seasons": {c.name: {"peak_day": c.peak, "swing": c.swing} for c in chain.CATEGORIES},
            "leaving": {
                "customers": left.tolist(),
                "decided": [clock.day_of(int(d)).isoformat() for d in self.decided[left]],
                "silent_from": [clock.day_of(int(d) + 7 * FADING_WEEKS).isoformat() for d in self.decided[left]],
                "reason": [REASONS[r] for r in self.reason[left]],
            },
            "price_sensitive": np.flatnonzero((p.type == PRICE_SENSITIVE) & ~p.visitor).tolist(),
            "quality_oriented": np.flatnonzero((p.type == QUALITY) & ~p.visitor).tolist(),
            "browsed_first": np.flatnonzero(p.browsed_first).tolist(),
            "weekly": {
                "customers": np.flatnonzero(p.rhythm).tolist(),
                "weekday": p.weekday[p.rhythm].tolist(),
            },
        }


_DAYS = [0.12, 0.12, 0.12, 0.13, 0.16, 0.18, 0.17]
_SHOP = np.array([0] * 9 + [1, 3, 5, 6, 5, 7, 8, 7, 6, 7, 8, 7, 4, 0, 0], dtype=np.float64)
_WEB = np.array([2, 1, 0.5, 0.2, 0.2, 0.3, 1, 2, 3, 4, 4, 4, 6, 5, 4, 4, 4, 4, 5, 7, 9, 10, 9, 5], dtype=np.float64)


def _hours(rng: np.random.Generator, many: int, curve: Floats) -> Ints:
    hours: Ints = rng.choice(24, many, p=curve / curve.sum())
    return hours


def _local(seconds: Any) -> Any:
    """Microseconds to add to a local midnight counted as UTC for so many seconds after it."""
    return (seconds - chain.OFFSET_SECONDS) * 1_000_000


def _day(at: Ints) -> Ints:
    """The local day (number) of a moment."""
    day: Ints = (at - _local(0)) // DAY
    return day


def _weights() -> Floats:
    weight = np.array([c.weight for c in chain.CATEGORIES])
    share: Floats = weight / weight.sum()
    return share


def _season(day: int) -> Floats:
    of_year = clock.day_of(day).timetuple().tm_yday
    peak = np.array([c.peak for c in chain.CATEGORIES])
    swing = np.array([c.swing for c in chain.CATEGORIES])
    factor: Floats = np.exp(swing * np.cos(2 * np.pi * (of_year - peak) / 365.25))
    return factor


def _products() -> tuple[Ints, Ints]:
    """(categories × products by rising price, -1 where there are none, prices)."""
    groups = [sorted((p.price, i) for i, p in enumerate(chain.PRODUCTS) if p.category == c)
              for c in range(len(chain.CATEGORIES))]  # fmt: skip
    table = np.full((len(groups), max(len(g) for g in groups)), -1, dtype=np.int64)
    for row, group in enumerate(groups):
        table[row, : len(group)] = [i for _, i in group]
    return table, np.array([p.price for p in chain.PRODUCTS], dtype=np.int64)


def _rows(at: Ints, who: Ints, kind: int, store: Any, item: Any, number: Any, amount: Any, score: Any, other: Any,
          ) -> Rows:  # fmt: skip
    rows = np.zeros(at.size, dtype=ROW)
    columns = (at, who, kind, store, item, number, amount, score, other)
    for name, column in zip(ROW.names or (), columns, strict=True):
        rows[name] = column
    return rows
