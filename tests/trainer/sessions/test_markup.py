"""In which encoding a page is read, and what is no page."""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE

import pytest

from trainer.sessions.markup import MarkupError, as_utf8

EXPECTED = "<p>café €</p>".encode()


@pytest.mark.parametrize(
    "markup",
    [
        "<p>café €</p>",
        "\ufeff<p>café €</p>",
        "<p>café €</p>".encode(),
        BOM_UTF8 + "<p>café €</p>".encode(),
        BOM_UTF16_LE + "<p>café €</p>".encode("utf-16-le"),
        BOM_UTF16_BE + "<p>café €</p>".encode("utf-16-be"),
    ],
)
def test_a_byte_order_mark_tells_the_encoding_and_utf_8_needs_none(markup: str | bytes) -> None:
    assert as_utf8(markup) == EXPECTED


@pytest.mark.parametrize(
    ("meta", "codec"),
    [
        ('<meta charset="windows-1252">', "cp1252"),
        ("<META CHARSET=Windows-1252>", "cp1252"),
        ("<meta charset = 'iso-8859-1' />", "cp1252"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1">', "cp1252"),
        ("<meta content='text/html;charset=latin1' http-equiv=content-type>", "cp1252"),
        ('<!-- <meta charset="shift_jis"> --><meta charset="windows-1252">', "cp1252"),
        ('<meta name="keywords" content="charset=shift_jis"><meta charset="windows-1252">', "cp1252"),
        ('<meta charset="no-such-thing"><meta charset="windows-1252">', "cp1252"),
        ('<meta charset="a\0b"><meta charset="windows-1252">', "cp1252"),
        ('<meta charset="unicode_escape"><meta charset="windows-1252">', "cp1252"),
        ("x" * 4000 + '<meta charset="windows-1252">', "cp1252"),
        ('<meta charset="utf-16">', "utf-8"),
        ('<meta charset="UTF8">', "utf-8"),
        ('<meta charset="iso-8859-15">', "iso8859-15"),
    ],
)
def test_a_meta_tells_the_encoding_that_browsers_would_read_it_as(meta: str, codec: str) -> None:
    assert as_utf8((meta + "<p>café €").encode(codec)) == (meta + "<p>café €").encode()


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("shift_jis", "cp932", "帽子①"),
        ("windows-31j", "cp932", "帽子"),
        ("x-sjis", "cp932", "帽子"),
        ("euc-jp", "euc_jp", "帽子"),
        ("gb2312", "gb18030", "帽子镕"),
        ("big5", "big5hkscs", "帽子"),
        ("euc-kr", "cp949", "모자"),
        ("windows-1251", "cp1251", "шапка"),
        ("windows-1256", "cp1256", "قبعة"),
    ],
)
def test_shops_of_many_scripts_are_read(label: str, codec: str, text: str) -> None:
    assert text.encode() in as_utf8(f"<meta charset={label}><p>{text}".encode(codec))


def test_a_meta_after_the_first_4096_bytes_declares_nothing() -> None:
    with pytest.raises(MarkupError, match="read as utf-8, and byte 4128 is not"):
        as_utf8(b"x" * 4096 + b'<meta charset="windows-1252"><p>\xe9')


def test_a_byte_order_mark_outdoes_a_meta() -> None:
    assert "café".encode() in as_utf8(BOM_UTF8 + "<meta charset=latin1><p>café".encode())


@pytest.mark.parametrize(
    ("markup", "reason"),
    [
        ("<p>café</p>".encode() + b"<p>caf\xe9</p>", "read as utf-8, and byte 18 is not"),
        (BOM_UTF8 + b"<p>\xff", "read as utf-8, and byte 6 is not"),
        (BOM_UTF16_LE + b"<\0p\0>\0\x00\xd8", "read as utf-16-le, and byte 8 is not"),
        (b"<meta charset=shift_jis><p>\x81", "read as cp932, and byte 27 is not"),
    ],
)
def test_mixed_encodings_are_refused_with_the_place(markup: bytes, reason: str) -> None:
    with pytest.raises(MarkupError, match=f"mixed encodings: the page is {reason}"):
        as_utf8(markup)


def test_half_of_a_surrogate_pair_is_refused_with_the_place() -> None:
    with pytest.raises(MarkupError, match="character 3 is half of a surrogate pair"):
        as_utf8("<p>\ud83d</p>")


@pytest.mark.parametrize("blank", ["", " \n", b"", b"\t", BOM_UTF8, "\ufeff"])
def test_nothing_is_no_page(blank: str | bytes) -> None:
    with pytest.raises(MarkupError, match="the markup is empty"):
        as_utf8(blank)


@pytest.mark.parametrize("text", ["hats", "1 < 2 > 0", "<!-- <p>hat</p> -->", "<!doctype html>", "<!-- <p>", "</p>"])
def test_text_without_an_element_is_no_page(text: str) -> None:
    with pytest.raises(MarkupError, match="no element"):
        as_utf8(text)
