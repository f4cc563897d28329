"""The catalogue of Chinese sentences as gettext reads it. Git has only what it is made of, which tools/translations.py
gathers.
"""

import os
from pathlib import Path

SOURCE = Path(__file__).parent / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"


def bring_up_to_date(source: Path = SOURCE) -> bool:
    """Compile the catalogue if its source is younger, as after a git pull: without it Chinese pages would show English
    sentences. Whether it was. Raises OSError where the folder can't be written to.
    """
    compiled = source.with_suffix(".mo")
    if compiled.exists() and compiled.stat().st_mtime_ns >= source.stat().st_mtime_ns:
        return False
    import polib

    half = source.with_suffix(f".{os.getpid()}.half")  # several may start at once
    polib.pofile(str(source)).save_as_mofile(str(half))
    half.replace(compiled)
    return True
