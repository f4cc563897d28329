"""All figures anew, when a person asks for it: a job with progress."""

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.jobs.progress import Progress
from regulars.jobs.services import start
from regulars.kernel.languages import Text
from regulars.warehouse import refresh

KIND = "warehouse.refresh"


def start_refresh(*, by: Actor) -> str:
    """Put a full refresh in line; the id of its job."""
    by.require("settings.edit")
    audit(by=by, action="Refresh Started")
    return start(KIND, by=by, arguments={}, title=Text("Compute all figures anew", "重新计算全部数字")).pk


def refresh_everything(progress: Progress) -> dict[str, int]:
    """Judge everybody; a restart begins again (it only computes). How many customers were judged."""
    progress.check_cancelled()
    state = refresh.full(report=lambda done, total: progress.report(done, total))
    return {"customers": state.customers}
