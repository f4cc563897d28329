from django.urls import path

from regulars.console.webhooks import views

app_name = "webhooks"
urlpatterns = [
    path("", views.endpoints, name="list"),
    path("/new", views.new, name="new"),
    path("/<int:id>", views.endpoint, name="page"),
    path("/<int:id>/edit", views.edit, name="edit"),
    path("/<int:id>/state", views.switch, name="switch"),
    path("/<int:id>/secret", views.renew, name="renew"),
    path("/<int:id>/test", views.test, name="test"),
    path("/<int:id>/remove", views.remove, name="remove"),
    path("/deliveries/<int:id>", views.delivery, name="delivery"),
    path("/deliveries/<int:id>/resend", views.resend, name="resend"),
]
