"""What people call the keys of analytics, for sentences about rules."""

from regulars.analytics import lifecycle, rfm
from regulars.analytics.cutoffs import Cutoffs
from regulars.kernel.languages import Text
from regulars.rules.describe import Named


def named(cutoffs: Cutoffs | None = None) -> Named:
    """For `rules.describe.described(rule, named=naming.named(cutoffs))`: stages and groups by name, the rest as is."""

    def name(kind: str, key: str) -> Text:
        if kind == "stage":
            return lifecycle.STAGES[key]
        if kind == "rfm_group":
            return rfm.name(key, cutoffs)
        return Text(en=key, zh=key)

    return name
