"""Numbers of any size as text."""


def quantity(value: float) -> str:
    """A number with four significant digits: 0.4822, 56.12, 12,346, 1.23e-07."""
    size = abs(value)
    if size == 0:
        return "0"
    if not 1e-4 <= size < 1e7:
        return f"{value:.2e}"
    digits = next((digits for digits in range(4) if size >= 10 ** (3 - digits)), None)
    if digits is None:
        return f"{value:.4g}"
    return f"{value:,.{digits}f}"


def signed_quantity(value: float) -> str:
    """A number that says which way it goes."""
    return f"+{quantity(value)}" if value > 0 else quantity(value)
