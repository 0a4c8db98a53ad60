"""What a shop sent, as UTF-8: which encoding its bytes are in, and whether there is an element among them at all."""

import codecs
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE

_META_WITHIN = 4096
"""An encoding is declared in a page's first so many bytes; HTML itself grants 1024, and some shops need more."""
_BYTE_ORDER_MARKS = {BOM_UTF8: "utf-8", BOM_UTF16_LE: "utf-16-le", BOM_UTF16_BE: "utf-16-be"}
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_META = re.compile(rb"<meta[\s/]([^<>]*)", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"""(?<![^\s/"'])([^\s=/"']++)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+))""")
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([^\s\"';]+)", re.IGNORECASE)
_FIRST_ELEMENT = re.compile(rb"<!--.*?(?:-->|\Z)|<[a-zA-Z]", re.DOTALL)

_WEB_CODECS = {
    codec: codec
    for codec in (
        *("utf-8", "gb18030", "big5hkscs", "euc_jp", "iso2022_jp", "cp932", "cp949", "koi8-r", "koi8-u", "cp866"),
        *("cp874", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258"),
        *(f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
        *("mac-roman", "mac-cyrillic"),
    )
} | {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "utf-16": "utf-8",
    "utf-16-le": "utf-8",
    "utf-16-be": "utf-8",
}
"""Python's codec of a declared label -> the codec that browsers read such a page with; codecs of no page are absent."""


class MarkupError(ValueError):
    """Markup that no simplified page can be made of."""


def as_utf8(markup: str | bytes) -> bytes:
    """The page in UTF-8, without its byte order mark.

    Bytes are in the encoding that their byte order mark says, else in the one that a `<meta>` declares, else in UTF-8.
    Raises MarkupError for bytes that are not, for half of a surrogate pair, and where there is no element.
    """
    if isinstance(markup, str):
        markup = _encoded(markup.removeprefix("\ufeff"))
    else:
        skipped, encoding = _encoding(markup)
        text = _decoded(markup, skipped, encoding)
        markup = markup[skipped:] if encoding == "utf-8" else _encoded(text)
    if not any(match[0][1:2] != b"!" for match in _FIRST_ELEMENT.finditer(markup)):
        raise MarkupError("there is no element in the markup" if markup.strip() else "the markup is empty")
    return markup


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise MarkupError(f"character {error.start} is half of a surrogate pair") from None


def _decoded(markup: bytes, skipped: int, encoding: str) -> str:
    try:
        return markup[skipped:].decode(encoding)
    except UnicodeDecodeError as error:
        offset = skipped + error.start
        raise MarkupError(f"mixed encodings: the page is read as {encoding}, and byte {offset} is not") from None


def _encoding(markup: bytes) -> tuple[int, str]:
    """Bytes of the byte order mark, and the codec of what follows."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if markup.startswith(mark):
            return len(mark), encoding
    for meta in _META.finditer(_COMMENT.sub(b"", markup[:_META_WITHIN])):
        attributes = {name.lower(): b"".join(value) for name, *value in _ATTRIBUTE.findall(meta[1])}
        label = attributes.get(b"charset", b"")
        if attributes.get(b"http-equiv", b"").strip().lower() == b"content-type":
            declared = _CHARSET.search(attributes.get(b"content", b""))
            label = declared[1] if declared else label
        codec = _web_codec(label.strip().decode("ascii", "replace"))
        if codec is not None:
            return 0, codec
    return 0, "utf-8"


def _web_codec(label: str) -> str | None:
    """Python's codec for what browsers take a label to mean; None for a label that means nothing to them."""
    label = label.lower().removeprefix("x-").replace("windows-31j", "cp932").replace("windows-", "cp")
    try:
        return _WEB_CODECS.get(codecs.lookup(label).name)
    except (LookupError, ValueError):  # a label may hold anything, a NUL even
        return None
