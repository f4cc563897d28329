from django.urls import path

from regulars.console.staff import views

app_name = "staff"
urlpatterns = [
    path("", views.staff, name="list"),
    path("/<int:id>", views.change, name="change"),
    path("/<int:id>/password", views.password, name="password"),
]
