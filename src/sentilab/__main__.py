"""`python -m sentilab` is `sentilab`."""

from sentilab.cli import main

main()
