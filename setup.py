"""Puts the content folders into the wheel (bench/content.py finds them there); all else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
CONTENT = {
    "search_spaces": ("*.yaml", "*.md"),
    "results": ("reference/*",),
    "runners": ("**/*",),
    "dashboards": ("*",),
}


class BuildWithContent(build_py):
    """Copies each content folder to `bench/_content/`."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return  # a checkout is read where it is
        for folder, patterns in CONTENT.items():
            target = Path(self.build_lib) / "bench" / "_content" / folder
            target.mkdir(parents=True, exist_ok=True)
            for pattern in patterns:
                for source in (ROOT / folder).glob(pattern):
                    if source.is_file():
                        place = target / source.relative_to(ROOT / folder)
                        place.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(source, place)


setup(cmdclass={"build_py": BuildWithContent})
