"""`python -m cloister.cli` is the `cloister` command."""

from . import main

main()
