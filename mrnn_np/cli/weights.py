"""`mrnn-np weights`: list, fetch and convert pretrained networks."""

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mrnn_np.convert.library import Entry

EXAMPLE = "mrnn-np weights get efficientnet_lite0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the three actions and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="which networks there are, and which are here")
    get = actions.add_parser("get", help="fetch a network and convert it, if need be")
    get.add_argument("name", metavar="NAME", help="one of those in the list")
    convert = actions.add_parser("convert", help="convert a weight file that you have")
    convert.add_argument(
        "file",
        metavar="FILE",
        help=".pth (PyTorch), .h5 (Keras), .ckpt (Flax), .safetensors or .npz",
    )
    convert.add_argument(
        "--arch",
        metavar="NAME",
        help="alexnet, vgg16, vgg19, squeezenet1_1 or efficientnet_lite0; told from "
        "the tensors when not given",
    )
    convert.add_argument(
        "-o",
        dest="out",
        metavar="OUT",
        help="the new .npz (a file that the list knows goes to the cache folder, "
        "another one to the current folder)",
    )


def run(args: argparse.Namespace) -> int:
    """Do what was asked; print the table or the path of the converted file."""
    from mrnn_np import convert
    from mrnn_np.runtime.progress import show

    if args.action == "list":
        for line in table(convert.entries()):
            show(line)
    elif args.action == "get":
        show(str(convert.get(args.name, verify=True)))
    else:
        show(str(convert.convert_file(args.file, args.arch, args.out)))
    return 0


def table(entries: "Iterable[Entry]") -> list[str]:
    """Lay the entries out in columns, as wide as what stands in them, a line each."""
    head = ("name", "architecture", "layers", "licence", "MB", "where")
    rows = [
        (
            entry.name,
            entry.architecture,
            entry.layers,
            entry.licence,
            f"{entry.megabytes:.0f}",
            str(entry.path) if entry.path else f"not here: weights get {entry.name}",
        )
        for entry in entries
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, *rows):
        *cells, where = row
        cells = [
            cell.rjust(width) if head[i] == "MB" else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=False))
        ]
        lines.append("  ".join([*cells, where]))
    return lines
