"""Keep a file that somebody gave, as it is."""

from collections.abc import Iterable
from hashlib import sha256

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.imports import files
from regulars.imports.mappings import KINDS, Kind
from regulars.imports.models import Import
from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text

MAX_SIZE = 20 << 30


def upload(*, kind: Kind, name: str, chunks: Iterable[bytes], by: Actor) -> Import:
    """A new import in state "uploaded". Raises Invalid for an unknown kind or an empty file."""
    by.require("imports.run")
    if kind not in KINDS:
        raise Invalid("kind", Text("Choose what the file holds.", "请选择文件内容的类型。"), field="kind")
    # The slash of either system: some browsers send whole paths.
    row = Import.objects.create(
        kind=kind, name=name.replace("\\", "/").rpartition("/")[2][-255:] or "file", size=0, digest="", actor=by.ref
    )
    digest, size = sha256(), 0
    try:
        with files.source(row.pk).open("wb") as file:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                if size > MAX_SIZE:
                    raise Invalid("too_big", Text("The file is bigger than 20 GB.", "文件超过 20 GB。"), field="file")
                file.write(chunk)
        if not size:
            raise Invalid("empty", Text("The file is empty.", "文件是空的。"), field="file")
    except BaseException:
        files.remove(row.pk)
        row.delete()
        raise
    with transaction.atomic():
        row.size, row.digest = size, digest.hexdigest()
        row.save(update_fields=["size", "digest"])
        audit(
            by=by, action="File Uploaded", object_kind="import", object_id=row.pk, details={"kind": kind, "size": size}
        )
    return row
