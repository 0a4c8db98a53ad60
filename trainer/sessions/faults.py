"""What can be wrong with a row of data, by name."""

from enum import StrEnum
from typing import NamedTuple


class Fault(StrEnum):
    """Why a row cannot be used."""

    NOT_JSON = "not_json"
    """A line that is no JSON object, or is longer than a line may be."""
    BAD_ENCODING = "bad_encoding"
    """Bytes that are not UTF-8, or half a surrogate pair."""
    BAD_FIELD = "bad_field"
    """A field that is missing, unknown or of the wrong type."""
    NO_STEPS = "no_steps"
    """A session without actions."""
    DUPLICATE_SESSION = "duplicate_session"
    """A session id that came before, in the same file."""
    BAD_ACTION = "bad_action"
    """An action that is no label under the reward spec."""
    NO_HTML = "no_html"
    """A step, not the session's first, without a page."""
    HTML_TOO_LARGE = "html_too_large"
    """A page over the limit of characters."""
    MALFORMED_HTML = "malformed_html"
    """A page whose markup does not nest, or that holds none."""
    NOT_ON_PAGE = "not_on_page"
    """An action on an element that is not on its page."""
    UNORDERED_STEPS = "unordered_steps"
    """Steps whose timestamps go backwards."""
    NO_USER = "no_user"
    """A session without a user, where users are to be kept apart."""
    NO_RATIONALE = "no_rationale"
    """A step without a rationale, where a model is to learn them."""
    PROMPT_TOO_LONG = "prompt_too_long"
    """A prompt over the budget even with every page left out but the current one."""
    LEAKED_SESSION = "leaked_session"
    """A session that is in two splits."""
    LEAKED_CONTENT = "leaked_content"
    """The same pages and actions under another id in another split."""
    LEAKED_USER = "leaked_user"
    """A user with sessions in two splits that are to share none."""


class BadRow(NamedTuple):
    """A row that cannot be used: where it stands and what is wrong with it."""

    file: str
    line: int
    """Counted from 1."""
    fault: Fault
    pointer: str
    """The JSON pointer of the field at fault inside the row; "" for all of it."""
    reason: str

    def __str__(self) -> str:
        place = f", {self.pointer}" if self.pointer else ""
        return f"{self.file}:{self.line}{place}: {self.fault.value}: {self.reason}"
