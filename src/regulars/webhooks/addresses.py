"""Which addresses events may be sent to. A webhook is a request that this machine makes for somebody else: without care
it would reach what stands behind the firewall (SSRF). Names are resolved once, judged, and the connection goes to the
address that was judged, so that a name can't change its mind in between.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text

_NO_URL = Text(
    "Give an address that begins with https://, such as https://example.com/hooks.",
    "请填写以 https:// 开头的地址，例如 https://example.com/hooks。",
)
_HTTP = Text(
    "Give an address that begins with https://. To try webhooks on your own machine, start Regulars with "
    "REGULARS_WEBHOOKS_PRIVATE=1.",
    "请填写以 https:// 开头的地址。如需在本机试用 Webhook，请以 REGULARS_WEBHOOKS_PRIVATE=1 启动 Regulars。",
)
_PRIVATE = Text(
    "{host} is inside a private network; events are sent to public addresses only. To try webhooks on your own "
    "machine, start Regulars with REGULARS_WEBHOOKS_PRIVATE=1.",
    "{host} 属于内网地址，事件只能发送到公网地址。"
    "如需在本机试用 Webhook，请以 REGULARS_WEBHOOKS_PRIVATE=1 启动 Regulars。",
)
_UNKNOWN = Text("{host} can't be found. Check the spelling.", "找不到 {host}，请检查拼写。")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect: `ip` is what `host` resolved to when it was judged."""

    scheme: str
    host: str
    ip: str
    port: int
    path: str

    @property
    def url(self) -> str:
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"


def _public(ip: str) -> bool:
    address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv6Address):
        # An IPv4 address in the clothes of IPv6 is judged as what it is.
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
        if address in ipaddress.ip_network("64:ff9b::/96"):
            return _public(str(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)))
    return address.is_global and not address.is_multicast


def checked(url: str) -> str:
    """A URL as it may be kept. Raises Invalid for what can't be one; the host is judged when it is resolved."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise Invalid("url", _NO_URL, field="url") from None
    schemes = ("https", "http") if settings.WEBHOOKS_PRIVATE else ("https",)
    odd = any(ord(letter) <= 32 for letter in url.strip()) or parts.username or parts.password or port == 0
    if parts.scheme not in schemes or not parts.hostname or odd or len(url) > 500:
        raise Invalid("url", _HTTP if parts.scheme == "http" else _NO_URL, field="url")
    return url.strip()


def resolved(url: str) -> Target:
    """Where the URL leads to at this moment. Raises Invalid when it is nowhere, or inside a private network."""
    parts = urlsplit(checked(url))
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Invalid("url_unknown", _UNKNOWN.filled(host=host), field="url") from None
    ips = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
    if not settings.WEBHOOKS_PRIVATE and not all(_public(ip) for ip in ips):
        raise Invalid("url_private", _PRIVATE.filled(host=host), field="url")
    path = parts.path or "/"
    return Target(parts.scheme, host, ips[0], port, f"{path}?{parts.query}" if parts.query else path)
