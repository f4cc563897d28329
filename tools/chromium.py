"""Which browser the tests and the screenshots drive; `tools/browser` sees to it that there is one."""

import shutil
from pathlib import Path

MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def executable() -> str | None:
    """Its path; None leaves it to playwright."""
    found = (shutil.which(name) for name in ("chromium-headless-shell", "chromium", "google-chrome"))
    return next(filter(None, found), MAC if Path(MAC).exists() else None)
