"""Every gradient check there is, one after another: `mrnn-np gradcheck`."""

from collections.abc import Iterator
from typing import Any

from mrnn_np.cells import CELLS
from mrnn_np.gradcheck.cases import DROPOUT, layer_checks
from mrnn_np.gradcheck.check import GradientCheck
from mrnn_np.gradcheck.model_cases import model_case
from mrnn_np.gradcheck.precision import layer_comparisons, model_comparison
from mrnn_np.models import MODELS, Captioner, model_class
from mrnn_np.models.fragments import FragmentRanker

SOME = 6  # entries of a parameter, where not all are compared one by one


def run_all(seed: int = 0) -> Iterator[tuple[str, GradientCheck]]:
    """Yield (what was checked, result) for every layer and model.

    First float64 against differences of the cost, then float32 against float64. Of
    models other than the m-RNN some entries of each parameter are compared, and all of
    them by projection; `run_model` compares every entry of one.
    """
    for name, checks in layer_checks(seed):
        for check in checks:
            yield name, check
    yield from float64_checks(seed, "mrnn")
    others: dict[str, dict[str, Any]] = {
        name: {"name": name} for name in MODELS if name != "mrnn"
    }
    others["mrnn, tied"] = {"name": "mrnn", "tied": True}
    for name in MODELS:
        if issubclass(model_class(name), FragmentRanker):
            regions = {"image_size": 6, "regions": 3}
            others[f"{name}, regions"] = {"name": name, **regions}
    for cell in CELLS:
        if cell != "relu":
            others[f"mrnn, {cell}"] = {"name": "mrnn", "cell": cell}
    for what, arguments in others.items():
        for check in model_case(seed, DROPOUT[0], **arguments, entries=SOME):
            yield what, check
    for name, checks in layer_comparisons(seed):
        for check in checks:
            yield f"float32 {name}", check
    yield from float32_checks(seed, "mrnn")
    for what, arguments in others.items():
        for check in model_comparison(seed, DROPOUT[0], **arguments):
            yield f"float32 {what}", check


def run_model(name: str, seed: int = 0) -> Iterator[tuple[str, GradientCheck]]:
    """Yield (what was checked, result) for every entry of one model's parameters.

    With and without dropout; of a captioner with weights tied and not, of a ranker of
    fragments with several regions an image.
    """
    yield from float64_checks(seed, name)
    cls = model_class(name)
    if issubclass(cls, FragmentRanker):
        for check in model_case(seed, name=name, image_size=6, regions=3):
            yield f"{name}, regions", check
    if issubclass(cls, Captioner):
        tied = not cls.config_class().tied
        for check in model_case(seed, name=name, tied=tied):
            yield f"{name}, {'tied' if tied else 'not tied'}", check
    yield from float32_checks(seed, name)


def float64_checks(seed: int, name: str) -> Iterator[tuple[str, GradientCheck]]:
    """Yield the checks of a model, at every entry, with and without dropout."""
    for rate in (0.0, *DROPOUT):
        for check in model_case(seed, rate, name):
            yield f"{name}, dropout {rate}" if rate else name, check


def float32_checks(seed: int, name: str) -> Iterator[tuple[str, GradientCheck]]:
    """Yield the comparisons of a model in float32, with and without dropout."""
    for rate in (0.0, *DROPOUT):
        what = f"float32 {name}, dropout {rate}" if rate else f"float32 {name}"
        for check in model_comparison(seed, rate, name):
            yield what, check
