"""`shop-r1 data simplify`."""

from pathlib import Path

from tests.trainer.cli.commands import BAD_INPUT, WRONG_USAGE, run

PAGE = (
    '<html><head><script>x()</script></head><body><div aria-label="Cart"><button>Buy now</button></div></body></html>'
)


def test_a_page_is_simplified_from_a_file_or_standard_input(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE)
    done = run("data", "simplify", tmp_path / "page.html")
    assert done.returncode == 0
    assert '<button name="cart.buy_now">Buy now</button>' in done.stdout
    assert "script" not in done.stdout
    assert run("data", "simplify", "-", stdin=PAGE.encode()).stdout == done.stdout


def test_the_names_alone_can_be_asked_for(tmp_path: Path) -> None:
    assert run("data", "simplify", "-", "--names", stdin=PAGE.encode()).stdout == "cart.buy_now\n"
    japanese = "<button>今すぐ買う</button>".encode()
    assert run("data", "simplify", "-", "--names", "--unicode-names", stdin=japanese).stdout == "今すぐ買う\n"


def test_the_result_can_go_to_a_file(tmp_path: Path) -> None:
    done = run("data", "simplify", "-", "--out", tmp_path / "out.html", stdin=PAGE.encode())
    assert (done.returncode, done.stdout) == (0, "")
    assert "Buy now" in (tmp_path / "out.html").read_text()


def test_a_page_in_mixed_encodings_or_without_markup_is_an_error() -> None:
    for content in (b"<p>caf\xe9 \xc3\xa9</p>", b"", b"   "):
        done = run("data", "simplify", "-", stdin=content)
        assert done.returncode == BAD_INPUT
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


def test_the_page_that_is_read_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE)
    assert run("data", "simplify", tmp_path / "page.html", "--out", tmp_path / "page.html").returncode == WRONG_USAGE
    assert (tmp_path / "page.html").read_text() == PAGE
