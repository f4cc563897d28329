"""What to propose to a business that has said nothing of itself yet: from the browser's zone and languages."""

import re
from collections.abc import Mapping
from zoneinfo import available_timezones

from babel.core import get_global
from babel.numbers import get_territory_currencies

from regulars.accounts.queries import Business


def proposed(*, zone: str, languages: str) -> dict[str, str]:
    """Zone, region and currency. `zone`: what the browser says it is in ("": unknown); `languages`: Accept-Language,
    which names a country where the zone doesn't ("en-GB"). What neither says is as it would be without an answer.
    """
    usual = Business()
    known = zone in available_timezones()
    countries: Mapping[str, str] = get_global("zone_territories")
    aliases: Mapping[str, str] = get_global("zone_aliases")
    found = re.search(r"-([A-Z]{2})\b", languages)
    region = (known and countries.get(aliases.get(zone, zone))) or (found[1] if found else usual.region)
    of_region = [name for name, country in countries.items() if country == region and name in available_timezones()]
    there = usual.zone if usual.zone in of_region else of_region[0] if len(of_region) == 1 else ""
    currencies = get_territory_currencies(region)
    return {
        "zone": zone if known else there,
        "region": region if currencies else usual.region,
        "currency": currencies[0] if currencies else usual.currency,
    }
