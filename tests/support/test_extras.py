"""What works without the optional packages, and the sentence where one of them is needed."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[2]
MODULES = {"ffmpeg-python": "ffmpeg", "pyyaml": "yaml", "pillow": "PIL", "ipython": "IPython"}


def modules(*extras: str) -> set[str]:
    """The modules that some extras bring."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {re.match(r"[\w.-]+", one)[0] for extra in extras for one in listed[extra]} - {"nca"}
    return {MODULES.get(name, name.replace("-", "_")) for name in names}


def without_extras(program: str, *but: str) -> subprocess.CompletedProcess:
    """Run a program where the modules of the extras cannot be imported, `but` those of some."""
    hidden = sorted(modules("data", "sweeps", "look", "book") - modules(*but))
    hide = f"import sys; sys.modules.update(dict.fromkeys({hidden!r}))\n"
    return subprocess.run([sys.executable, "-c", hide + program], capture_output=True, text=True, cwd=ROOT)


def test_the_bare_package_trains_couples_and_measures():
    done = without_extras(
        "import nca, torch\n"
        "from nca.spectra import Geometry, analyse\n"
        "model = nca.build('SF', 5)\n"
        "mixture = torch.rand(5, 9)\n"
        "for made in (nca.student(model, mixture, iterations=2), nca.compositional(model, mixture, iterations=2),\n"
        "             nca.mean_mapping(model, mixture), nca.linear_composition(model), nca.identity(5)):\n"
        "    print(nca.tod_ratio(made.matrix).item(), nca.snr(mixture, made(mixture)).item())\n"
        "scale = torch.ones(5, 1)\n"
        "frames = mixture.mT.numpy()\n"
        "nca.train(nca.build('SF', 5, [0]), frames, frames, scale, [0], nca.Schedule(epochs=1), progress=False)\n"
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 10


@pytest.mark.parametrize(
    ("statement", "extra", "package"),
    [
        ("nca.real_song()", "data", "musdb"),
        ("nca.survey", "sweeps", "pandas"),
        ("import nca.sweeps", "sweeps", "papermill"),
        ("nca.explore", "book", "matplotlib"),
    ],
)
def test_what_is_missing_is_named_with_the_extra_that_brings_it(statement, extra, package):
    done = without_extras(f"import nca\n{statement}")
    last = done.stderr.strip().splitlines()[-1]
    assert "MissingExtraError" in last
    assert package in last
    assert f"pip install 'nca[{extra}]'" in last


def test_a_song_is_looked_at_without_widgets_and_the_book(tmp_path):
    soundfile.write(tmp_path / "song.wav", np.random.default_rng(0).normal(scale=0.1, size=2000), 11025)
    done = without_extras(
        "from nca.couplings import descent\n"
        "from nca.pages.look import look\n"
        "run = descent.Descent.run\n"
        "descent.Descent.run = lambda self, _, *rest: run(self, 2, *rest)\n"  # two iterations of 600
        f"look({str(tmp_path / 'song.wav')!r}, out={str(tmp_path / 'page.html')!r})",
        "sweeps",
        "look",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").stat().st_size > 1e6
