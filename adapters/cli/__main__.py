"""`python -m adapters.cli`: the same as the console script `evt`."""

import sys

from adapters.cli.start import main

sys.exit(main())
