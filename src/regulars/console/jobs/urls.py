from django.urls import path

from regulars.console.jobs import views

app_name = "jobs"
urlpatterns = [
    path("", views.jobs, name="list"),
    path("/<str:id>", views.job, name="page"),
    path("/<str:id>/cancel", views.cancel, name="cancel"),
]
