"""The addresses of the doors: the JSON API under /api/, the console everywhere else."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/", include("regulars.api.urls")),
    path("", include("regulars.console.urls")),
]

handler400 = "regulars.console.frame.views.malformed"
handler403 = "regulars.console.frame.views.forbidden"
handler404 = "regulars.console.frame.views.not_found"
handler500 = "regulars.console.frame.views.broken"
