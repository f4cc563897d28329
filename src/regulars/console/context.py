"""What the frame around every page needs: the navigation for this role, the business, the language."""

from typing import Any

from django.http import HttpRequest


def frame(request: HttpRequest) -> dict[str, Any]:
    return {}
