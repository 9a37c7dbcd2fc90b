"""What can go wrong in each kind of file, and what reads it: a whole one is made once, and a copy of it damaged."""

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import soundfile
import torch
from corruption import damage

import nca
from nca.analysis.runs import load_couplings, load_networks, load_results
from nca.cli import main
from nca.errors import NCAError
from nca.pages import records as shown_records
from nca.spectra import Geometry, build_store, open_store
from nca.sweeps import check_executed, records, sweep, table, timetable, verify
from nca.training import Checkpoint, Schedule, Trained, train

ROOT = Path(__file__).parents[2]
SWEEPS = ROOT / "tests" / "sweeps"
GEOMETRY = Geometry(rate=8000, fft=16, window=16, hop=8)
SCHEDULE = Schedule(epochs=4, batch=8)
SUFFIXES = ("wav", "flac", "ogg", "mp3")


@dataclass(frozen=True)
class Kind:
    """`make` fills an empty folder; `spoil` damages something in a copy of it; `use` reads the copy.

    `use` gives what was read, or raises an `NCAError`, as all of the package's errors are. `exact`: what it gives must
    then be what it gives of the whole folder, since damage can be told from content. `writes`: what it reads it may
    also write anew.
    """

    make: Callable[[Path], None]
    spoil: Callable[[Path, Random], None]
    use: Callable[[Path], Any]
    exact: bool = False
    writes: bool = False


def command(*arguments: str) -> int:
    """The exit code of `nca ARGUMENTS`; its output is looked at for tracebacks and dropped."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main(arguments)
    assert "Traceback" not in said.getvalue()
    return code


def _song(folder: Path) -> None:
    random = np.random.default_rng(0)
    for subset in ("train", "test"):
        for number, suffix in enumerate(SUFFIXES):
            song = folder / "data" / subset / f"song {number}"
            song.mkdir(parents=True)
            for stem in ("mixture", "vocals"):
                noise = random.normal(scale=0.1, size=(4000, 2))
                soundfile.write(song / f"{stem}.{suffix}", noise, 8000)


def _listed(folder: Path) -> int:
    return command("tracks", str(folder / "data"))


def _file(pattern: str, how: Callable[[Path, Random], None]) -> Callable[[Path, Random], None]:
    """Damage to one of the files that a pattern finds."""
    return lambda folder, random: how(random.choice(sorted(folder.rglob(pattern))), random)


def _renamed(folder: Path, random: Random) -> None:
    """A song, a subset or an audio file under an odd name."""
    path = random.choice(sorted(folder.glob("data/*/*")) + sorted(folder.glob("data/*/*/*")))
    name = random.choice(damage.NAMES)
    path.rename(path.with_name(random.choice((name, f"{name}{path.suffix}"))))


def _stems(folder: Path) -> None:
    (song,) = (Path(find_spec("stempeg").origin).parent / "data").glob("*.stem.mp4")
    (folder / "data/test").mkdir(parents=True)
    shutil.copy(song, folder / "data/test/song.stem.mp4")


def _stems_listed(folder: Path) -> int:
    return command("tracks", str(folder / "data"), "--subset", "test")


def _model(folder: Path) -> None:
    model = nca.build("MSS-DAE", GEOMETRY.bins, 0)
    scale, gain = torch.rand(2, GEOMETRY.bins, 1)
    for name in ("model", "many/seed0"):
        Trained(model, scale.clone(), gain.clone(), GEOMETRY, 0, [1.0, 0.5], [1e-4, 1e-4]).save(folder / name)


def _networks(folder: Path) -> list[str]:
    found = [nca.load_trained(folder / "model"), nca.load_trained(folder / "many", 0)]
    load_networks([str(folder / "model")], ["MSS-DAE"])
    return [one.digest for one in found]


def _matrices(folder: Path) -> None:
    mixture, model = torch.rand(GEOMETRY.bins, 8), nca.build("DAE", GEOMETRY.bins, 0)
    found = {each.strategy: each for each in (nca.student(model, mixture, iterations=2), nca.linear_composition(model))}
    nca.save_matrices(folder / "couplings.safetensors", found)


def _couplings(folder: Path) -> list[list[float]]:
    found = nca.load_matrices(folder / "couplings.safetensors")
    return [each.matrix.flatten().tolist() for each in found.values()]


def _records(folder: Path) -> None:
    for name in ("judged", "pretrained", "mir-1k", "ensembles", "paper-cpu"):
        shutil.copy(ROOT / f"book/records/{name}.json", folder / f"{name}.json")


def _recorded(folder: Path) -> None:
    for stage, name in (("judge", "judged"), ("keep", "pretrained"), ("train", "mir-1k")):
        nca.recorded_rows(folder / f"{name}.json", stage)
        shown_records.agreed_parameters(str(folder / f"{name}.json"), stage)
    for path in sorted(folder.glob("*.json")):
        shown_records.provenance(str(path))
    shown_records.hours({"here": str(folder / "paper-cpu.json")})


def _store(folder: Path) -> None:
    for name in ("first.md", "second.md", "page.md", "grid.yml"):
        shutil.copy(SWEEPS / name, folder / name)
    with contextlib.chdir(folder):
        assert sweep("grid.yml", {"model": "a", "seed": [0, 1]}, progress=False).complete


def _read_store(folder: Path) -> None:
    with contextlib.chdir(folder):
        codes = [
            command("sweep", "grid.yml", "--status"),
            command("sweep", "grid.yml", "--dry-run"),
            command("sweep", "grid.yml", "--prune"),
            command("record", "store", "new.json", "--command", "c"),
            command("record", "store", "new.json", "--command", "c", "--add"),
        ]
        assert set(codes) <= {0, 2}, codes
        for read in (table, timetable, verify, lambda store: list(records(store))):
            with contextlib.suppress(NCAError):
                read("store")


def _coupled(folder: Path) -> None:
    """What couple.md leaves of a segment: a row a strategy."""
    row = {"model": "DAE", "seed": 0, "song": "a song", "segment": 2, "tod_ratio": 0.5, "snr_to_model": 3.0}
    rows = [row | {"strategy": name, "network": "0" * 16, "matrices": "couplings.safetensors"} for name in ("a", "b")]
    nca.write_json(folder / "results.json", rows)


def _results(folder: Path) -> None:
    load_results([str(folder)], ["DAE"], ["a", "b"])
    with contextlib.suppress(NCAError):
        load_couplings([str(folder)], {})


def _judged(folder: Path) -> int:
    with contextlib.chdir(folder):
        return command("sweep", "grid.yml", "--dry-run")


def _grid(folder: Path) -> None:
    for name in ("first.md", "second.md", "page.md"):
        shutil.copy(SWEEPS / name, folder / name)
    (folder / "songs").mkdir()
    (folder / "songs/one").write_text("one")
    grid = (SWEEPS / "grid.yml").read_text().replace("scale: 2", "data: songs\n    data: data\n    seconds: 5")
    more = "    rows: [{scale: 1.5}]\n    memory: 8 GB\n"
    (folder / "grid.yml").write_text(grid.replace("  page:\n", f"{more}  page:\n") + "parameters: {model: a}\n")


def _notebooks(folder: Path) -> None:
    _grid(folder)
    (folder / "done").mkdir()
    notebook = nca.sweeps.notebooks.read_notebook(folder / "first.md")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = 1
            cell.metadata["execution"] = {"shell.execute_reply": "2026-01-01"}
    (folder / "done/first.ipynb").write_text(json.dumps(notebook))
    (folder / "plain.ipynb").write_text(json.dumps(notebook))
    (folder / "grid.yml").write_text(
        "store: store\nstages:\n  first: {notebook: first.md}\n  plain: {notebook: plain.ipynb}\n"
    )


def _spoilt_notebook(folder: Path, random: Random) -> None:
    path = random.choice([folder / "first.md", folder / "plain.ipynb", folder / "done/first.ipynb"])
    (damage.of_file if path.suffix == ".md" else damage.of_json)(path, random)


def _judged_notebooks(folder: Path) -> int:
    with contextlib.suppress(NCAError):
        check_executed(folder / "done")
    return _judged(folder)


def _training(folder: Path, epochs: int) -> list[float]:
    """The parameters after a training of so many epochs that keeps its checkpoints here, or goes on from one."""
    generator = torch.Generator().manual_seed(0)
    mixture, voice = torch.rand(2, 40, GEOMETRY.bins, generator=generator)
    model, scale = nca.build("SF", GEOMETRY.bins, [0, 1]), torch.ones(GEOMETRY.bins, 1)
    train(model, mixture, voice, scale, [0, 1], SCHEDULE, progress=False, checkpoint=Stopping(folder, 0.0, epochs))
    return torch.cat([each.detach().flatten() for each in model.parameters()]).tolist()


class Stopped(Exception):
    """A training that was cut off."""


class Stopping(Checkpoint):
    """Checkpoints of a training that is cut off after so many were written."""

    def __init__(self, folder: Path, seconds: float, writes: int) -> None:
        super().__init__(folder / "checkpoints", seconds)
        self.writes = writes

    def write(self, *content: Any) -> None:
        if self.writes == 0:
            raise Stopped
        super().write(*content)
        self._due, self.writes = 0.0, self.writes - 1


def _cut_off(folder: Path) -> None:
    with contextlib.suppress(Stopped):
        _training(folder, 7)


class _Noise:
    name, rate = "noise", 8000

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self.mixture, self.voice = generator.normal(size=(2, 1000)).astype(np.float32)


def _spectra(folder: Path) -> None:
    build_store([_Noise()], GEOMETRY, folder / "spectra", "digest", workers=1)


def _frames(folder: Path) -> list[list[list[float]]]:
    build_store([_Noise()], GEOMETRY, folder / "spectra", "digest", workers=1)
    found = open_store(folder / "spectra", verify=True)
    return [found.mixture[:].tolist(), found.voice[:].tolist(), found.scale().tolist()]


KINDS = {
    "audio": Kind(_song, _file("*.[wfom][apg]*", damage.of_file), _listed),
    "names": Kind(_song, _renamed, _listed),
    "stems": Kind(_stems, _file("*.mp4", damage.of_file), _stems_listed),
    "weights": Kind(_model, _file("*.safetensors", damage.of_file), _networks, exact=True),
    "descriptions": Kind(_model, _file("*.json", damage.of_json), _networks),
    "matrices": Kind(_matrices, _file("*.safetensors", damage.of_file), _couplings, exact=True),
    "records": Kind(_records, _file("*.json", damage.of_json), _recorded),
    "runs": Kind(_store, _file("*.json", damage.of_json), _read_store),
    "results": Kind(_coupled, _file("results.json", damage.of_json), _results),
    "grids": Kind(_grid, _file("grid.yml", damage.of_yaml), _judged),
    "notebooks": Kind(_notebooks, _spoilt_notebook, _judged_notebooks),
    "checkpoints": Kind(
        _cut_off, _file("*.safetensors", damage.of_file), lambda folder: _training(folder, 99), True, True
    ),
    "spectra": Kind(_spectra, _file("*.f32", damage.of_file), _frames, True, True),
    "indices": Kind(_spectra, _file("index.json", damage.of_json), _frames, True, True),
}
