"""`python -m tollhouse_proxy`."""

import sys

from tollhouse_proxy.main import main

sys.exit(main(sys.argv[1:]))
