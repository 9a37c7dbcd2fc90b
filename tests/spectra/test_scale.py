"""The store at scale: memory that does not grow with the corpus, and data that is there before the step needs it."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nca.bench.data import bench_data, measure, random_store
from nca.cli import main
from nca.errors import DataError, ParameterError
from nca.spectra import open_store
from nca.support.files import read_json


@pytest.mark.parametrize(("precision", "frames"), [("float32", 300), ("float16", 8192), ("float32", 20_000)])
def test_a_random_store_is_whole(tmp_path: Path, precision: str, frames: int) -> None:
    random_store(tmp_path, frames, 9, precision)
    store = open_store(tmp_path, verify=True)
    assert store.mixture.shape == store.voice.shape == (frames, 9)
    assert store.mixture.dtype == np.dtype(precision)
    assert (store.mixture[:5] != store.voice[:5]).any()


def test_one_process_reads_every_batch_and_steps_on_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random_store(tmp_path, 1000, 9, "float16")
    seen = []
    from nca.bench import data

    def watched(signal, order, *arguments):
        seen.append(order)
        return gather(signal, order, *arguments)

    gather = data.gather
    monkeypatch.setattr(data, "gather", watched)
    figures = measure(tmp_path, 3)
    assert sorted(np.concatenate([order.ravel() for order in seen[::2]])) == list(range(1000))
    assert min(figures.values()) > 0
    assert figures["resident"] > figures["anonymous"]


def test_sizes_and_precisions_that_cannot_be_measured(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="give at least 128 frames, one step, one of float32, float16"):
        bench_data(frames=[100])
    with pytest.raises(ParameterError, match=r"A store of .* GB does not fit"):
        bench_data(frames=[10**12], folder=tmp_path)


BUILD = """
import sys, time
from nca.spectra import Geometry, build_store
from nca.data import open_tracks

class Slow(list):
    def __getitem__(self, number):
        time.sleep(0.2)
        return super().__getitem__(number)

build_store(Slow(open_tracks(sys.argv[1])), Geometry(8000, 512, 256, 48), sys.argv[2], workers=int(sys.argv[3]))
"""


@pytest.mark.slow
def test_a_killed_build_goes_on_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(12):
        (song := tmp_path / "songs" / "train" / f"song {number:02}").mkdir(parents=True)
        for name in ("mixture", "drums", "bass", "other", "vocals"):
            soundfile.write(song / f"{name}.wav", rng.uniform(-1, 1, 9000), 8000)
    subprocess.run([sys.executable, "-c", BUILD, tmp_path / "songs", tmp_path / "whole", "1"], check=True)
    index = tmp_path / "killed" / "index.json"
    for _ in range(2):  # each time after the first song that it adds
        before = index.read_bytes() if index.exists() else b""
        building = subprocess.Popen([sys.executable, "-c", BUILD, tmp_path / "songs", index.parent, "3"])
        while building.poll() is None and (index.read_bytes() if index.exists() else b"") == before:
            time.sleep(0.01)
        building.kill()
        building.wait()
    with pytest.raises(DataError, match="unfinished"):
        open_store(index.parent)
    subprocess.run([sys.executable, "-c", BUILD, tmp_path / "songs", index.parent, "2"], check=True)
    for file in ("mixture.f32", "voice.f32", "index.json"):
        assert (index.parent / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    assert len(open_store(index.parent, verify=True).songs) == 12


@pytest.mark.slow
@pytest.mark.timing
def test_a_million_frames_are_trained_on_in_flat_memory_without_waiting_for_data(tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    options = ["--frames", "62500", "250000", "1000000", "--precision", "float16", "--folder", str(tmp_path)]
    assert main(["bench", "data", *options, "--json", str(file)]) == 0
    rows = read_json(file)["rows"]
    assert [row["frames"] for row in rows] == [62_500, 250_000, 1_000_000]
    assert max(row["resident"] for row in rows) < 2000
    assert rows[-1]["resident"] - rows[0]["resident"] < 300  # of 1,920 MB more on disk
    assert rows[-1]["anonymous"] - rows[0]["anonymous"] < 100
    assert min(row["step_over_load"] for row in rows) > 5
    assert list(tmp_path.iterdir()) == [file]
