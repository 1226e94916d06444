"""`python -m tollhouse_operator.cli`: the same as `tollhouse`."""

import sys

from tollhouse_operator.cli import main

if __name__ == "__main__":
    sys.exit(main())
