"""What the frame around every page needs: the navigation for this role, the business, the language."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from regulars.accounts.actors import Actor
from regulars.accounts.capabilities import ROLES
from regulars.console import background, formatting, navigation, toasts
from regulars.kernel import languages
from regulars.wiring import loops


def frame(request: HttpRequest) -> dict[str, Any]:
    actor: Actor | None = getattr(request, "actor", None)
    theme = request.COOKIES.get("regulars_theme", "")
    match = request.resolver_match
    return {
        "actor": actor,
        "business": SimpleLazyObject(formatting.business),
        "language": languages.current(),
        "languages": list(languages.NAMES.items()),
        "theme": theme if theme in ("light", "dark") else "auto",
        "navigation": SimpleLazyObject(
            lambda: navigation.shown_to(actor, match.view_name if match else "") if actor else []
        ),
        "role": ROLES.get(actor.role) if actor else None,
        "failing": SimpleLazyObject(
            lambda: (
                [background.work(name) for name in loops.failing()] if actor and actor.may("quarantine.repair") else []
            )
        ),
        "toasts": SimpleLazyObject(lambda: toasts.pending(request)),
        "may": {name.replace(".", "_"): True for name in actor.capabilities} if actor else {},
    }
