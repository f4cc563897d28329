from django.urls import path

from regulars.console.settings import views

app_name = "settings"
urlpatterns = [
    path("", views.settings, name="page"),
    path("/refresh", views.refresh, name="refresh"),
    path("/first", views.first, name="first"),
]
