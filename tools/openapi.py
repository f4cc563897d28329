"""Write docs/openapi.json anew from the code: python -m tools.openapi (a test holds the two together)."""

import json
import os
import tempfile
from pathlib import Path

PATH = Path(__file__).parents[1] / "docs" / "openapi.json"


def described() -> str:
    """The description of the API as it stands in docs/openapi.json."""
    from regulars.api.application import api

    schema = api.get_openapi_schema(path_prefix="/api/v1/")
    return json.dumps(schema, ensure_ascii=False, indent=1, sort_keys=True, default=str) + "\n"


def main() -> None:
    os.environ.setdefault("REGULARS_HOME", tempfile.mkdtemp())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "regulars.settings")
    import django

    django.setup()
    PATH.write_text(described())


if __name__ == "__main__":
    main()
