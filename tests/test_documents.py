"""What the pages say of the files: links, the map, where equations live, the floors."""

import re
from pathlib import Path

import pytest

from mrnn_np.data.dataset import READERS
from mrnn_np.models import MODELS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mrnn_np"
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("[!.]*/*.md")]
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(?:#[^)]*)?\)")
CODE = re.compile(r"`([^`]+)`")


def rows(page: str, title: str = "") -> list[list[str]]:
    """Return the cells of the tables below a title, up to the next of its rank."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if title:
        [text] = re.findall(rf"^{title}$(.*?)(?=^## |\Z)", text, re.M | re.S)
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return [row for row in cells if not set(row[0]) <= {"-", " "}]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if not re.match(r"https?:", link):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index


def test_equations_live_where_the_table_says():
    table = rows("ARCHITECTURE.md", "## Where each equation lives")[1:]
    assert len(table) > 20
    for what, _, files, functions in table:
        sources = [(PACKAGE / file).read_text() for file in CODE.findall(files)]
        for function in CODE.findall(functions):
            defined = re.compile(rf"^\s*def {function}\(", re.M)
            assert any(map(defined.search, sources)), f"{what}: {function}"


def test_the_map_has_every_module():
    named = set()
    for names, *_ in rows("docs/map.md"):
        folder = PACKAGE
        for name in [] if "planned" in names else CODE.findall(names):
            if "/" in name:  # `data/folder`, `coco`: both are in data
                folder = (PACKAGE / name).parent
            files = list(folder.glob(f"{Path(name).name}.py"))
            assert files, f"the map names {name}, which is not there"
            named.update(files)
    there = {file for file in PACKAGE.rglob("*.py") if file.name != "__init__.py"}
    assert {file for file in named if file.name != "__init__.py"} == there


def test_the_floors_are_the_contract():
    contract = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    [layers] = re.findall(r"^layers = \[\n(.*?)^\]", contract, re.M | re.S)
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    [drawn] = re.findall(r"^## Floors$.*?```\n(.*?)```", page, re.M | re.S)
    lines = [line.strip() for line in drawn.splitlines()]
    assert re.findall(r'"([^"]+)"', layers) == [
        line for line in lines if not line.startswith("(")
    ]


def test_every_data_set_is_in_the_table():
    table = "".join(row[0] for row in rows("docs/data.md"))
    for usage, _ in READERS.values():
        assert usage.split(" or ")[0] in table


def test_every_model_is_in_the_table_and_lives_where_it_says():
    table = rows("docs/models.md")[1:]
    named = [name for names, *_ in table for name in CODE.findall(names)]
    assert sorted(named) == sorted(MODELS)
    for names, _, files in table:
        for name, file in zip(CODE.findall(names), CODE.findall(files), strict=True):
            module = MODELS[name][0].removeprefix("mrnn_np.models.").replace(".", "/")
            assert file == f"{module}.py", name


def test_words_of_the_glossary_are_where_it_says():
    entries = [row for row in rows("docs/glossary.md") if row[0] != "word"]
    words = [word for word, _, _ in entries]
    assert len(set(words)) == len(words) > 40
    for word, meaning, files in entries:
        assert meaning and CODE.findall(files), word
        for name in CODE.findall(files):
            assert (PACKAGE / name).exists(), f"{word}: {name}"
