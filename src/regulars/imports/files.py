"""Where an import keeps its files: HOME/files/imports/<id>/. Nothing of the name that somebody gave a file is used."""

import shutil
from pathlib import Path

from django.conf import settings


def folder(import_id: int) -> Path:
    path = Path(settings.HOME) / "files" / "imports" / str(int(import_id))
    path.mkdir(parents=True, exist_ok=True)
    return path


def source(import_id: int) -> Path:
    return folder(import_id) / "source"


def stage(import_id: int) -> Path:
    return folder(import_id) / "stage.duckdb"


def rejects(import_id: int) -> Path:
    return folder(import_id) / "rejects.csv"


def clear(import_id: int, *, rejects_too: bool = False) -> None:
    """Remove what isn't needed once an import is over: the file itself and its stage hold personal data."""
    for path in folder(import_id).iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif rejects_too or path.name != "rejects.csv":
            path.unlink(missing_ok=True)
