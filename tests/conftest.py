"""What all tests share: slow ones are left out when kernels run as plain Python.

Nor is it said that kernels are being compiled: whether they are depends on what ran
before, and some tests look at every line on stderr. Nor has an example a deadline: the
first one may have to compile a kernel.
"""

import os
import signal

import pytest
from hypothesis import settings

from mrnn_np.kernels.cache import NOTICE

NOTICE.said = True
# A shell starts what runs in the background deaf to Ctrl-C, and nohup to the end of the
# terminal. The processes that tests send signals to would inherit that.
for name, usual in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    number = getattr(signal, name, None)  # Windows has no SIGHUP
    if number is not None and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)
settings.register_profile("mrnn_np", deadline=None)
settings.load_profile("mrnn_np")


def pytest_collection_modifyitems(items):
    if os.environ.get("NUMBA_DISABLE_JIT", "0") == "0":
        return
    reason = "the kernels run as plain Python (NUMBA_DISABLE_JIT=1): too slow for this"
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason=reason))
