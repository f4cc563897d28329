"""The addresses of the doors: the JSON API under /api/, the console everywhere else."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
