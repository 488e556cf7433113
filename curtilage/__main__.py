"""``python3 -m curtilage``: the way a host runs it, where no console script is installed."""

from curtilage.cli import main

if __name__ == "__main__":
    main()
