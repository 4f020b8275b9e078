"""`python -m pocketlens` is the command `pocketlens`."""

from pocketlens.cli.main import main

if __name__ == "__main__":
    main()
