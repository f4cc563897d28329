"""The bytes of a text file, unpacked within bounds, and the encoding they are written in."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from regulars.imports.reading.layouts import CHUNK, FREE_UNPACKED, MAX_LINE, MAX_RATIO
from regulars.imports.reading.refusals import refusal, too_big, with_nul
from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text

SAMPLE = 256 << 10


ENCODINGS = {
    "utf-8": "UTF-8", "gb18030": "GB18030 / GBK", "utf-16": "UTF-16", "big5": "Big5", "cp1252": "Windows-1252",
    "cp1251": "Windows-1251", "cp1250": "Windows-1250", "shift_jis": "Shift JIS", "euc_kr": "EUC-KR",
    "latin_1": "ISO 8859-1",
}  # fmt: skip


class Bounded(io.RawIOBase):
    """Unpacked bytes, stopped when they grow out of proportion to the packed file or a line has no end. `nul`: there
    was a zero byte.
    """

    def __init__(self, path: Path, packed: bool) -> None:
        self.file: BinaryIO = path.open("rb")
        self.inner = cast(BinaryIO, gzip.GzipFile(fileobj=self.file)) if packed else self.file
        self.most = max(FREE_UNPACKED, path.stat().st_size * MAX_RATIO) if packed else None
        self.given = 0
        self.lines = 0
        self.since_line = 0
        self.nul = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self.inner.read(len(buffer))
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise refusal(
                "broken_gzip",
                "The compressed file is broken or only half there. Copy or export it again.",
                "压缩文件已损坏或不完整，请重新复制或导出。",
            ) from None
        buffer[: len(data)] = data
        self.given += len(data)
        self.nul = self.nul or b"\0" in data
        end = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self.since_line = self.since_line + len(data) if end < 0 else len(data) - end - 1
        self.lines += data.count(b"\n")
        if self.since_line > MAX_LINE:
            raise refusal(
                "line_too_long",
                "Line {number} is longer than {most} bytes: this isn't a table, or a quotation mark is missing.",
                "第 {number} 行超过 {most} 字节：这可能不是表格，或缺少引号。",
                number=self.lines + 1,
                most=f"{MAX_LINE:,}",
            )
        if self.most is not None and self.given > self.most:
            raise too_big()
        return len(data)

    def behind(self) -> int:
        return self.file.tell()

    def close(self) -> None:
        self.file.close()
        super().close()


def opened(path: Path, packed: bool) -> tuple[Bounded, io.BufferedReader]:
    raw = Bounded(path, packed)
    return raw, io.BufferedReader(raw, CHUNK)


def chunks(path: Path, packed: bool) -> Iterator[bytes]:
    _, file = opened(path, packed)
    with file:
        while chunk := file.read(CHUNK):
            yield chunk


def _decodes(path: Path, packed: bool, encoding: str) -> Literal["whole", "torn", "no"]:
    """Whether the whole file is valid in the encoding; torn: but for a character cut off at its end."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        for chunk in chunks(path, packed):
            decoder.decode(chunk)
    except UnicodeError:
        return "no"
    try:
        decoder.decode(b"", final=True)
    except UnicodeError:
        return "torn"
    return "whole"


def _looks_chinese(data: bytes) -> bool:
    """Whether the bytes above ASCII are mostly pairs of common Chinese characters or full-width marks (GB 2312
    rows 1–55). Western text that happens to be valid GB18030 pairs accents with letters instead.
    """
    pairs = re.findall(rb"[\x81-\xfe][\x30-\x39\x40-\xfe]", data)
    common = sum(1 for a, b in pairs if (0xA1 <= a <= 0xA9 or 0xB0 <= a <= 0xD7) and b >= 0xA1)
    return bool(pairs) and common >= 0.85 * len(pairs)


def encoding_of(path: Path, packed: bool, wanted: str) -> tuple[str, bool, list[tuple[str, str]]]:
    """(Python's name of the encoding, is the last character torn off, remarks)."""
    head = next(chunks(path, packed), b"")
    if not head:
        raise refusal("empty", "The file is empty.", "文件是空的。")
    if head.startswith((b"PK\x03\x04", b"PAR1", b"\x1f\x8b", b"\xd0\xcf\x11\xe0")) or b"ustar" in head[257:263]:
        raise refusal(
            "packed_twice",
            "There is another packed file inside. Unpack it first.",
            "压缩包内还是压缩文件，请先解压。",
        )
    try:
        wanted = codecs.lookup(wanted).name if wanted else ""
    except LookupError:
        raise Invalid("encoding", Text("There is no such encoding.", "没有这种编码。"), field="encoding") from None
    marks = [
        (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"), (b"\x84\x31\x95\x33", "gb18030"),
    ]  # fmt: skip
    marked = next((name for mark, name in marks if head.startswith(mark)), "")
    if wanted and not marked:
        choices = [wanted]
    elif marked:
        choices = [marked]
    else:
        even, odd = head[:4096:2].count(0), head[1:4096:2].count(0)
        if even + odd > 0.2 * min(len(head), 4096):
            if max(even, odd) < 4 * min(even, odd) + 1:
                raise with_nul(head[: head.index(0)].count(b"\n") + 1)
            choices = ["utf-16-le" if odd > even else "utf-16-be"]
        else:
            choices = ["utf-8"]
    for name in choices:
        if (answer := _decodes(path, packed, name)) != "no":
            return name, answer == "torn", []
    if not wanted and not marked:
        beyond = b"".join(line for line in head.splitlines() if any(byte > 127 for byte in line))
        if not beyond:  # the accents begin later: look at all of the file for them
            for chunk in chunks(path, packed):
                beyond += b"".join(line for line in chunk.splitlines() if any(byte > 127 for byte in line))
                if len(beyond) > SAMPLE:
                    break
        guesses = ["gb18030"] if _looks_chinese(beyond) else []
        guesses += _other_encodings(beyond[:SAMPLE])
        for name in guesses:
            if (answer := _decodes(path, packed, name)) != "no":
                text = Text(
                    "Read as {name}. If letters look wrong, choose another encoding.",
                    "按 {name} 读取。如有乱码，请选择其他编码。",
                ).filled(name=ENCODINGS.get(name, name))
                return name, answer == "torn", [(text.en, text.zh)]
    if b"\0" in head and not wanted and not marked:
        raise with_nul(head[: head.index(0)].count(b"\n") + 1)
    named = (marked or wanted or "").removesuffix("-sig")
    raise Invalid(
        "encoding",
        Text(
            "The file's characters can't be read: it isn't written in {names}. Save it as “CSV UTF-8” and try again.",
            "无法识别文件的字符编码（不是 {names}）。请另存为“CSV UTF-8”后重试。",
        ).filled(names=ENCODINGS.get(named, named) or "UTF-8, GB18030"),
        field="encoding",
    )


def _other_encodings(data: bytes) -> list[str]:
    from charset_normalizer import from_bytes

    found = from_bytes(data, cp_isolation=[name for name in ENCODINGS if name not in ("utf-8", "utf-16")])
    ranked = [match.encoding for match in found]
    return [*ranked, *(name for name in ("gb18030", "cp1252") if name not in ranked)]
