"""Where an import keeps its files: files/imports/<id>/ in the data folder, or in REGULARS_FILES where several processes
share them. Nothing of the name that somebody gave a file is used.
"""

import shutil
from pathlib import Path

from django.conf import settings


def _parent() -> Path:
    return Path(settings.FILES or settings.HOME) / "files" / "imports"


def folder(import_id: int) -> Path:
    return _parent() / str(int(import_id))


def source(import_id: int) -> Path:
    folder(import_id).mkdir(parents=True, exist_ok=True)
    return folder(import_id) / "source"


def stage(import_id: int) -> Path:
    return folder(import_id) / "stage.duckdb"


def rejects(import_id: int) -> Path:
    return folder(import_id) / "rejects.csv"


def clear(import_id: int) -> None:
    """Remove what isn't needed once an import is over: the file itself and its stage hold personal data."""
    for path in folder(import_id).glob("*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != "rejects.csv":
            path.unlink(missing_ok=True)


def kept() -> list[int]:
    """Imports that have a folder."""
    parent = _parent()
    return [int(path.name) for path in parent.iterdir() if path.name.isdigit()] if parent.is_dir() else []


def remove(import_id: int) -> None:
    """All of its files, the rejected rows too."""
    shutil.rmtree(folder(import_id), ignore_errors=True)
