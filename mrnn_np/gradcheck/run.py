"""Every gradient check there is, one after another: `mrnn-np gradcheck`."""

from collections.abc import Iterator

from mrnn_np.gradcheck.cases import DROPOUT, layer_checks, model_case
from mrnn_np.gradcheck.check import GradientCheck
from mrnn_np.gradcheck.precision import layer_comparisons, model_comparison
from mrnn_np.models import MODELS


def run_all(seed: int = 0) -> Iterator[tuple[str, GradientCheck]]:
    """Yield (what was checked, result) for every layer and model.

    First float64 against differences of the cost, then float32 against float64.
    """
    for name, checks in layer_checks(seed):
        for check in checks:
            yield name, check
    models = [(name, rate) for name in MODELS for rate in (0.0, *DROPOUT)]
    for name, rate in models:
        for check in model_case(seed, rate, name):
            yield f"{name}, dropout {rate}" if rate else name, check
    for name, checks in layer_comparisons(seed):
        for check in checks:
            yield f"float32 {name}", check
    for name, rate in models:
        what = f"float32 {name}, dropout {rate}" if rate else f"float32 {name}"
        for check in model_comparison(seed, rate, name):
            yield what, check
