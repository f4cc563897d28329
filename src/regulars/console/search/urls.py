from django.urls import path

from regulars.console.search import views

app_name = "search"
urlpatterns = [path("", views.results, name="results")]
