from django.urls import path

from regulars.console.overview import views

app_name = "overview"
urlpatterns = [path("", views.overview, name="page")]
