"""Links for the web pages: what lies outside of docs/ is linked to the repository."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = "https://github.com/DeepRegModules/SlicerDeepRegModules"
# Pages that show a file of the project's root, whose links start there.
OF_ROOT = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "code_of_conduct.md": "CODE_OF_CONDUCT.md",
    "changelog.md": "CHANGELOG.md",
}
PAGES = {name: page for page, name in OF_ROOT.items()}


def on_page_markdown(markdown: str, page, **_) -> str:
    """The page's text, with the root's file put in and every link pointed at a page, a picture or the repository."""
    name = page.file.src_uri
    folder = ROOT if name in OF_ROOT else (ROOT / "docs" / name).parent
    if name in OF_ROOT:
        markdown = (ROOT / OF_ROOT[name]).read_text(encoding="utf-8")

    def link(match: re.Match) -> str:
        mark, text, target = match.groups()
        if re.match(r"\w+:|#", target):
            return match[0]
        path, _, anchor = target.partition("#")
        path = (folder / path).resolve().relative_to(ROOT).as_posix()
        anchor = f"#{anchor}" if anchor else ""
        if path.startswith("docs/"):
            up = "../" * name.count("/")
            return f"{mark}[{text}]({up}{path.removeprefix('docs/')}{anchor})"
        if path in PAGES:
            return f"{mark}[{text}]({'../' * name.count('/')}{PAGES[path]}{anchor})"
        kind = "raw" if mark else "blob"
        return f"{mark}[{text}]({REPOSITORY}/{kind}/main/{path}{anchor})"

    return re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", link, markdown)
