"""What the OpenAPI document says of a message's fields."""

from pydantic import BaseModel

from reward_server.service.descriptions import field_descriptions


class Shelf(BaseModel):
    """Not of a field."""

    width: float
    """Metres."""
    height: float
    label: str = "new"
    """What it says.

    On the front.
    """

    @property
    def area(self) -> float:
        """Not a field either."""
        return self.width * self.height


class OpenShelf(Shelf):
    height: float
    """Metres, from the floor."""
    boards: int


def test_a_field_is_described_by_the_string_after_it() -> None:
    assert field_descriptions(Shelf) == {"width": "Metres.", "label": "What it says.\n\nOn the front."}


def test_what_is_inherited_is_described_as_well_and_may_be_described_anew() -> None:
    assert field_descriptions(OpenShelf) == {**field_descriptions(Shelf), "height": "Metres, from the floor."}
