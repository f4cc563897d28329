from django.urls import path, register_converter
from django.urls.converters import StringConverter

from regulars.console.events import views


class Anything(StringConverter):
    """Senders choose the ids of their messages: slashes and line breaks too."""

    regex = r"[\s\S]+"


register_converter(Anything, "anything")

app_name = "events"
urlpatterns = [
    path("", views.live, name="live"),
    path("/catalogue", views.catalogue, name="catalogue"),
    path("/quarantine", views.quarantine, name="quarantine"),
    path("/quarantine/one/<int:id>", views.one, name="one"),
    path("/quarantine/replay", views.replay, name="replay"),
    path("/quarantine/discard", views.discard, name="discard"),
    path("/quarantine/restore", views.restore, name="restore"),
    path("/subscribers", views.subscribers, name="subscribers"),
    path("/subscribers/parked", views.settle, name="settle"),
    path("/<anything:message_id>", views.event, name="event"),
]
