"""What can be wrong with what completions are asked of."""


class GenerationError(ValueError):
    """A model or a row of which no completions can be had: names it, and the reason."""
