"""Put the work of an import in line, as a job."""

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.imports import files, queries
from regulars.imports.models import Import
from regulars.jobs import services as jobs
from regulars.kernel import clock
from regulars.kernel.errors import Conflict
from regulars.kernel.languages import Text

_READ = Text("Read {name}", "读取 {name}")
_RUN = Text("Import {name}", "导入 {name}")


@transaction.atomic
def reread(*, id: int, by: Actor, encoding: str = "", sheet: str = "") -> None:
    """Read the file in a job: the first time, or again with another encoding or sheet."""
    by.require("imports.run")
    row = queries.get(id)
    if row.state not in ("uploaded", "mapped"):
        raise Conflict("state", Text("This import has begun already.", "该导入已经开始。"))
    arguments = {"import_id": id, "encoding": encoding, "sheet": sheet}
    job = jobs.start("imports.read", by=by, arguments=arguments, title=_READ.filled(name=row.name))
    Import.objects.filter(id=id).update(state="uploaded", done=0, total=0, remarks=[], job_id=job.pk)


@transaction.atomic
def start(*, id: int, by: Actor, in_a_job: bool = True) -> None:
    """mapped → running. Raises what keeps the mapping from being run; Conflict when it has begun already."""
    by.require("imports.run")
    row = queries.get(id)
    queries.ready(row)
    started = Import.objects.filter(id=id, state="mapped").update(
        state="running", started_at=clock.now(), done=0, total=0, place=0, counts={}
    )
    if not started:
        raise Conflict("state", Text("This import has begun already.", "该导入已经开始。"))
    audit(by=by, action="Import Started", object_kind="import", object_id=id, details={"kind": row.kind})
    if in_a_job:
        arguments = {"import_id": id}
        job = jobs.start("imports.run", by=by, arguments=arguments, title=_RUN.filled(name=row.name))
        Import.objects.filter(id=id).update(job_id=job.pk)
    files.rejects(id).unlink(missing_ok=True)
