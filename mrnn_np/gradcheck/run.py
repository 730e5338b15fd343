"""Every gradient check there is, one after another: `mrnn-np gradcheck`."""

from collections.abc import Iterator

from mrnn_np.cells import CELLS
from mrnn_np.gradcheck.cases import DROPOUT, layer_checks, model_case
from mrnn_np.gradcheck.check import GradientCheck
from mrnn_np.gradcheck.precision import layer_comparisons, model_comparison
from mrnn_np.models import MODELS, Captioner, model_class


def run_all(seed: int = 0) -> Iterator[tuple[str, GradientCheck]]:
    """Yield (what was checked, result) for every layer and model.

    First float64 against differences of the cost, then float32 against float64.
    """
    for name, checks in layer_checks(seed):
        for check in checks:
            yield name, check
    models = list(model_variants())
    for what, arguments in models:
        for check in model_case(seed, **arguments):
            yield what, check
    for name, checks in layer_comparisons(seed):
        for check in checks:
            yield f"float32 {name}", check
    for what, arguments in models:
        for check in model_comparison(seed, **arguments):
            yield f"float32 {what}", check


def model_variants() -> Iterator[tuple[str, dict]]:
    """Yield what is checked of the models: a name, and arguments of `model_case`.

    Every model with and without dropout, captioners with weights tied and not tied, and
    the m-RNN with every recurrent cell.
    """
    for name in MODELS:
        for rate in (0.0, *DROPOUT):
            label = f"{name}, dropout {rate}" if rate else name
            yield label, {"name": name, "dropout": rate}
        cls = model_class(name)
        if issubclass(cls, Captioner):
            tied = not cls.config_class().tied
            label = f"{name}, {'tied' if tied else 'not tied'}"
            yield label, {"name": name, "dropout": 0.0, "tied": tied}
    for cell in CELLS:
        if cell != "relu":
            yield f"mrnn, {cell}", {"name": "mrnn", "dropout": 0.0, "cell": cell}
