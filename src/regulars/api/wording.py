"""Words of the description of the API: both languages side by side, since one document serves everybody."""


def said(en: str, zh: str) -> str:
    return f"{en} · {zh}"
