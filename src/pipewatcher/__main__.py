"""`pipewatcher` and `python -m pipewatcher`."""

from pipewatcher.cli.app import main

if __name__ == "__main__":
    main()
