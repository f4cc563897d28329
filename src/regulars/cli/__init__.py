"""The command line: thin commands over services. Each command is a module of this package."""


def main() -> None:
    """Entry point of `regulars`."""
