"""Every area of the console, one line each."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("regulars.console.frame.urls")),
    path("overview", include("regulars.console.overview.urls")),
    path("search", include("regulars.console.search.urls")),
    path("customers", include("regulars.console.customers.urls")),
    path("jobs", include("regulars.console.jobs.urls")),
    path("keys", include("regulars.console.keys.urls")),
    path("webhooks", include("regulars.console.webhooks.urls")),
    path("settings", include("regulars.console.settings.urls")),
    path("staff", include("regulars.console.staff.urls")),
    path("audit", include("regulars.console.audit.urls")),
    path("insights/", include("regulars.console.insights.urls")),
    path("imports", include("regulars.console.imports.urls")),
    path("events", include("regulars.console.events.urls")),
]
