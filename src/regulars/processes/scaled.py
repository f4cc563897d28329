"""What has to be the same for all web and worker processes before one of them may start."""

from django.conf import settings
from django.db import connection

from regulars.kernel.errors import Conflict
from regulars.kernel.languages import Text


def check(command: str) -> None:
    """Raises Conflict on SQLite, or when what they share isn't said."""
    if connection.vendor == "sqlite":
        raise Conflict(
            "needs_postgresql",
            Text(
                "`regulars {command}` is for PostgreSQL: set REGULARS_DATABASE_URL (docs/scaling.md). On one machine "
                "with the database in the data folder use `regulars serve`.",
                "`regulars {command}` 用于 PostgreSQL：请设置 REGULARS_DATABASE_URL（见 docs/scaling.md）。"
                "单机且数据库位于数据目录中时，请使用 `regulars serve`。",
            ).filled(command=command),
        )
    missing = [
        name
        for name, value in (
            ("REGULARS_LAKE", settings.LAKE),
            ("REGULARS_SECRET", settings.SECRET_GIVEN),
            ("REGULARS_FILES", settings.FILES),
        )
        if not value
    ]
    if missing:
        raise Conflict(
            "not_shared",
            Text(
                "Set {names} to the same values for all web and worker processes: the key that signs sessions, and two "
                "folders that all of them reach, one for the history and one for uploads (docs/scaling.md).",
                "请为所有 web 与 worker 进程设置相同的 {names}：签名会话的密钥，以及它们都能访问的两个目录，"
                "分别存放历史数据与上传文件（见 docs/scaling.md）。",
            ).filled(names=", ".join(missing)),
        )
