from django.urls import path

from regulars.console.frame import views

app_name = "frame"
urlpatterns = [
    path("", views.home, name="home"),
    path("login", views.log_in, name="login"),
    path("session", views.session, name="session"),
    path("logout", views.log_out, name="logout"),
    path("language", views.choose_language, name="language"),
    path("me", views.me, name="me"),
]
