from django.urls import path

from regulars.console.keys import views

app_name = "keys"
urlpatterns = [
    path("", views.keys, name="list"),
    path("/write", views.add_write_key, name="add-write"),
    path("/write/<int:id>/revoke", views.revoke_write_key, name="revoke-write"),
    path("/api", views.add_api_key, name="add-api"),
    path("/api/<int:id>/revoke", views.revoke_api_key, name="revoke-api"),
]
