from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "regulars.console"
    label = "console"

    def ready(self) -> None:
        from regulars.console import erasing
        from regulars.wiring.erasures import DOORS

        DOORS.erase.append(erasing.erase)
