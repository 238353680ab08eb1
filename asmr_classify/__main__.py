"""Run the command line as ``python -m asmr_classify``."""

from asmr_classify.cli.app import main

if __name__ == "__main__":
    main()
