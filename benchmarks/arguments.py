"""What a benchmark takes on its command line: nothing but a question for help."""

from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter


def no_arguments(about: str | None) -> None:
    """Show a module's docstring for `--help`, and refuse all else, before anything is timed."""
    ArgumentParser(usage=SUPPRESS, description=about, formatter_class=RawDescriptionHelpFormatter).parse_args()
