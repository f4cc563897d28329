from django.urls import path

from regulars.console.insights import views

app_name = "insights"
urlpatterns = [
    path("sales", views.sales, name="sales"),
    path("rfm", views.rfm, name="rfm"),
    path("lifecycle", views.lifecycle, name="lifecycle"),
    path("cohorts", views.cohorts, name="cohorts"),
    path("rhythm", views.rhythm, name="rhythm"),
    path("risk", views.risk, name="risk"),
    path("lost", views.lost, name="lost"),
    path("voice", views.voice, name="voice"),
]
