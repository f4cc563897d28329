from django.urls import path

from regulars.console.audit import views

app_name = "audit"
urlpatterns = [path("", views.trail, name="list")]
