from django.urls import path

from regulars.console.imports import views

app_name = "imports"
urlpatterns = [
    path("", views.imports, name="list"),
    path("/upload", views.upload, name="upload"),
    path("/mappings", views.mappings, name="mappings"),
    path("/mappings/<int:id>/delete", views.delete_mapping, name="delete-mapping"),
    path("/mappings/restore", views.restore_mapping, name="restore-mapping"),
    path("/<int:id>", views.one, name="page"),
    path("/<int:id>/forecast", views.forecast, name="forecast"),
    path("/<int:id>/mapping", views.choose, name="choose"),
    path("/<int:id>/reread", views.reread, name="reread"),
    path("/<int:id>/start", views.start, name="start"),
    path("/<int:id>/cancel", views.cancel, name="cancel"),
    path("/<int:id>/save", views.save, name="save"),
    path("/<int:id>/rejects", views.rejects, name="rejects"),
]
