"""The index of what came before."""

from hypothesis import given
from hypothesis import strategies as st

from trainer.sessions.seen import Place, Seen


@given(st.lists(st.tuples(st.sampled_from(["session", "user"]), st.binary(max_size=3)), max_size=60))
def test_it_remembers_where_each_key_of_each_kind_was_first_seen(keys: list[tuple[str, bytes]]) -> None:
    seen = Seen()
    first: dict[tuple[str, bytes], Place] = {}
    for line, (kind, key) in enumerate(keys, 1):
        assert seen.first(kind, key, Place(0, line)) == first.get((kind, key))
        first.setdefault((kind, key), Place(0, line))
    seen.close()
