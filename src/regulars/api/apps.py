from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "regulars.api"
    label = "api"

    def ready(self) -> None:
        from regulars.api import kept
        from regulars.wiring.erasures import DOORS

        DOORS.erase.append(kept.erase)
        DOORS.tidy.append(kept.forget)
