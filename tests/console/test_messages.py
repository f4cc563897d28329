"""The compiled Chinese sentences follow their source."""

import gettext
import os
from pathlib import Path

from regulars.console.messages import bring_up_to_date

PO = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "Keys"\nmsgstr "{zh}"\n'


def test_sentences_are_compiled_when_their_source_is_younger(tmp_path: Path) -> None:
    source, compiled = tmp_path / "django.po", tmp_path / "django.mo"

    def said() -> str:
        with compiled.open("rb") as file:
            return gettext.GNUTranslations(file).gettext("Keys")

    source.write_text(PO.format(zh="钥匙"))
    assert bring_up_to_date(source) and said() == "钥匙"
    assert not bring_up_to_date(source)
    source.write_text(PO.format(zh="密钥"))
    second = 10**9
    os.utime(source, ns=(compiled.stat().st_mtime_ns + second,) * 2)
    os.utime(compiled, ns=(compiled.stat().st_mtime_ns - second,) * 2)
    assert bring_up_to_date(source) and said() == "密钥"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["django.mo", "django.po"]
