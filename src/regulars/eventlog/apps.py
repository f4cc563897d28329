from django.apps import AppConfig


class EventlogConfig(AppConfig):
    name = "regulars.eventlog"
    label = "eventlog"
