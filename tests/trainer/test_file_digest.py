"""A file's digest is that of its content, whatever its name."""

from pathlib import Path

from trainer.file_digest import sha256_of


def test_it_is_the_sha_256_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
