"""Run the command line: ``asmr-classify`` and ``python -m asmr_classify`` begin here.

Importing the program takes a third of a second, in which nothing is done yet that could be lost. So
interrupts are turned into a quiet end before anything else is imported.
"""

from asmr_classify.cli.startup import end_at_interrupts


def main() -> None:
    """Run the program."""
    end_at_interrupts()
    from asmr_classify.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
