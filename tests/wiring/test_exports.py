"""Files of exported customers hold personal data: they go after a week."""

import os
from datetime import timedelta
from pathlib import Path

from regulars.kernel import clock
from regulars.wiring import exports


def test_an_export_is_deleted_after_a_week(home: Path) -> None:
    exports.folder().mkdir()
    for name, days in (("old.csv", 8), ("new.csv", 6)):
        (exports.folder() / name).write_text("x")
        then = (clock.now() - timedelta(days=days)).timestamp()
        os.utime(exports.folder() / name, (then, then))
    assert exports.forget_files() == 1
    assert [path.name for path in exports.folder().iterdir()] == ["new.csv"]
