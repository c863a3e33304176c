"""`python -m local_hopsworks serve` in a process that may have 256 descriptors, and ask for as many
as the first argument says."""

import resource
import sys

from local_hopsworks.__main__ import main

resource.setrlimit(resource.RLIMIT_NOFILE, (256, int(sys.argv[1])))
sys.exit(main(["serve", *sys.argv[2:]]))
