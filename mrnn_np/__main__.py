"""`python -m mrnn_np` is the same as `mrnn-np`."""

import sys

from mrnn_np.cli import main

sys.exit(main())
