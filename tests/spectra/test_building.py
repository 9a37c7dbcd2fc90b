"""The spectrogram store: every frame on disk once, whatever was cut, altered or left out, and read back as an array."""

import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from spectra.test_spectra import SMALL, Song, song

from nca.errors import DataError, ParameterError
from nca.spectra import (
    Geometry,
    build_store,
    magnitudes,
    open_store,
)
from nca.spectra.building import _coarse, _halved
from nca.spectra.store import _moved
from nca.support.files import read_json, write_json


def files(folder: Path) -> dict[str, bytes]:
    """What a store is made of."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}


def test_the_store_holds_every_frame_of_every_song(tmp_path):
    songs = [song(1), song(2, 5), song(3, 500)]  # the second has one frame
    store = build_store(songs, SMALL, tmp_path / "store")
    expected = [magnitudes(s.mixture, s.rate, SMALL).T for s in songs]
    np.testing.assert_array_equal(store.mixture, np.concatenate(expected))
    assert store.songs == tuple((f"song {i}", len(frames)) for i, frames in enumerate(expected, 1))
    assert store.geometry == SMALL
    np.testing.assert_array_equal(store.voice[-1], magnitudes(songs[2].voice, 2000, SMALL).T[-1])
    assert [count for _, count in store.songs] == [151, 1, 84]


def test_an_interrupted_store_goes_on_and_ends_in_the_same_bytes(tmp_path):
    songs = [song(1), song(2), song(3)]
    whole = build_store(songs, SMALL, tmp_path / "whole")

    with pytest.raises(AttributeError):
        build_store([song(1), None, song(3)], SMALL, tmp_path / "cut")
    with pytest.raises(DataError, match="unfinished"):
        open_store(tmp_path / "cut")
    with open(tmp_path / "cut" / "mixture.f32", "ab") as file:
        file.write(b"more than all songs" * 10_000)
    resumed = build_store(songs, SMALL, tmp_path / "cut")
    np.testing.assert_array_equal(resumed.mixture, whole.mixture)
    np.testing.assert_array_equal(resumed.voice, whole.voice)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_broken_stores_are_named_errors(tmp_path):
    with pytest.raises(DataError, match="missing or unfinished"):
        open_store(tmp_path / "nothing")
    build_store([song(1)], SMALL, tmp_path)
    with pytest.raises(DataError, match="of another geometry"):
        build_store([song(1)], Geometry(2000, 128, 32, 6), tmp_path)
    with pytest.raises(DataError, match="other songs"):
        build_store([song(2)], SMALL, tmp_path, data="another digest")
    path = tmp_path / "voice.f32"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"voice\.f32 is shorter"):
        open_store(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(DataError, match=r"index\.json"):
        open_store(tmp_path)


@pytest.mark.parametrize("spoilt", ["[]", "3", '{"songs": []}', '{"complete": true, "data": ""}'])
def test_an_index_of_something_else_is_a_named_error(tmp_path, spoilt):
    build_store([song(1)], SMALL, tmp_path)
    (tmp_path / "index.json").write_text(spoilt)
    with pytest.raises(DataError, match=r"index\.json is not a complete index; delete"):
        open_store(tmp_path)


@pytest.mark.parametrize("spoilt", [{"name": 3, "frames": 0}, {"name": "song 1"}, {"name": "song 1", "frames": 151}])
def test_an_entry_of_something_else_is_a_named_error(tmp_path, spoilt):
    build_store([song(1)], SMALL, tmp_path)
    write_json(tmp_path / "index.json", read_json(tmp_path / "index.json") | {"songs": [spoilt]})
    with pytest.raises(DataError, match=r"index\.json is not a complete index; delete"):
        open_store(tmp_path)


def test_a_store_from_before_there_were_precisions_is_of_single_precision(tmp_path):
    store = build_store([song(1)], SMALL, tmp_path / "not" / "there")
    index = read_json(tmp_path / "not" / "there" / "index.json")
    del index["precision"]
    write_json(tmp_path / "not" / "there" / "index.json", index)
    np.testing.assert_array_equal(open_store(tmp_path / "not" / "there").mixture, store.mixture)


def test_every_songs_frames_are_on_disk_before_the_index_lists_them(tmp_path, monkeypatch):
    flushed: list[tuple[int, int]] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        state = os.fstat(descriptor)
        flushed.append((state.st_ino, state.st_size))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    build_store([song(1), song(2)], SMALL, tmp_path)
    for signal in ("mixture", "voice"):
        state = (tmp_path / f"{signal}.f32").stat()
        assert [size for file, size in flushed if file == state.st_ino] == [state.st_size // 2, state.st_size]


@pytest.mark.parametrize(("workers", "threads"), [(3, 1), (None, 3)])
def test_as_many_songs_are_computed_at_once_as_asked_for_or_as_torch_has_threads(tmp_path, workers, threads):
    together, now = threading.Barrier(3, timeout=5), torch.get_num_threads()
    begun: list[int] = []

    class Met(list):
        def __getitem__(self, number):
            together.wait()
            return super().__getitem__(number)

    class Noted(list):
        def __getitem__(self, number):
            begun.append(number)
            return super().__getitem__(number)

    torch.set_num_threads(threads)
    try:
        assert len(build_store(Met(map(song, range(3))), SMALL, tmp_path / "met", workers=workers).songs) == 3
        with pytest.raises(AttributeError):
            build_store(Noted([None, *map(song, range(9))]), SMALL, tmp_path / "broken", workers=workers)
    finally:
        torch.set_num_threads(now)
    assert sorted(begun) == [0, 1, 2]  # the fourth waits for the first


def test_progress_is_counted_in_songs_of_all(tmp_path, capsys):
    with pytest.raises(AttributeError):
        build_store([song(1), None, song(3)], SMALL, tmp_path, workers=1)
    assert "| 1/3 [" in capsys.readouterr().err
    build_store([song(1), song(2), song(3)], SMALL, tmp_path)
    shown = capsys.readouterr().err
    assert "spectra:  33%" in shown
    assert "| 3/3 [" in shown
    assert "| 0/3 [" not in shown


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_order_and_bytes_do_not_depend_on_the_number_of_workers(tmp_path, precision):
    songs = [song(i, 300 + 500 * (i % 3)) for i in range(7)]
    for workers in (1, 2, 5):
        build_store(songs, SMALL, tmp_path / str(workers), precision=precision, workers=workers)
    assert files(tmp_path / "1") == files(tmp_path / "2") == files(tmp_path / "5")
    with pytest.raises(ParameterError, match="workers is 0; give at least one"):
        build_store(songs, SMALL, tmp_path / "none", workers=0)


def test_no_more_songs_are_read_ahead_than_there_are_workers(tmp_path, monkeypatch):
    read, written = [], []

    class Watched(list):
        def __getitem__(self, number):
            read.append(number)
            return super().__getitem__(number)

    monkeypatch.setattr(
        "nca.spectra.building._tell", lambda entry: (written.append(entry), ahead.append(len(read) - len(written)))
    )
    ahead: list[int] = []
    build_store(Watched(song(i) for i in range(12)), SMALL, tmp_path, workers=2)
    assert (sorted(read), len(written)) == (list(range(12)), 12)
    assert max(ahead) <= 2


def test_half_precision_rounds_once_and_says_what_it_cannot_hold(tmp_path, capsys):
    loud = Song("loud", 2000, 1e4 * song(1).mixture, song(1).voice)
    whole = build_store([song(1), song(2)], SMALL, tmp_path / "whole")
    half = build_store([song(1), song(2)], SMALL, tmp_path / "half", precision="float16")
    assert half.mixture.dtype == half.voice.dtype == np.float16
    np.testing.assert_array_equal(half.voice, whole.voice.astype(np.float16))
    np.testing.assert_allclose(half.scale(), whole.scale(), rtol=2e-4)
    assert "coarse" not in capsys.readouterr().err
    with pytest.raises(DataError, match=r"loud, mixture: A magnitude of .* exceeds half precision; build .* float32"):
        build_store([song(1), loud], SMALL, tmp_path / "loud", precision="float16")
    low = np.sin(2 * np.pi * 10 * SMALL.bandwidth * np.arange(4000) / 2000) * np.hanning(4000)
    build_store([Song("low", 2000, low, song(1, 4000).voice)], SMALL, tmp_path / "low", precision="float16")
    assert "bands of the mixture are coarse in float16" not in capsys.readouterr().err
    build_store([Song("faint", 2000, 1e-7 * low, low)], SMALL, tmp_path / "faint", precision="float16")
    assert "faint: 33 quiet bands of the mixture are coarse in float16" in capsys.readouterr().err
    with pytest.raises(DataError, match="other songs, of another geometry or precision"):
        build_store([song(1), song(2)], SMALL, tmp_path / "half")
    with pytest.raises(ParameterError, match="precision is 'int8'; choose one of float32, float16"):
        build_store([song(1)], SMALL, tmp_path / "int8", precision="int8")


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_one_altered_byte_is_found_when_asked_for(tmp_path, monkeypatch, precision):
    monkeypatch.setattr("nca.spectra.store.PIECE", 1000)  # divides no song
    build_store([song(1), song(2)], SMALL, tmp_path, precision=precision)
    assert open_store(tmp_path, verify=True).songs == open_store(tmp_path).songs
    path = next(tmp_path.glob("voice.*"))
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    assert len(open_store(tmp_path).songs) == 2
    with pytest.raises(DataError, match=rf"{path.name} was altered in song 2; delete the folder and build"):
        open_store(tmp_path, verify=True)


def test_a_song_without_a_voice_is_left_out_by_name(tmp_path, capsys):
    mute = Song("mute", 2000, song(2).mixture, np.zeros(900, np.float32))
    store = build_store([song(1), mute, song(3)], SMALL, tmp_path / "store")
    assert capsys.readouterr().err.count("skipped mute: it has no voice") == 1
    assert ([name for name, _ in store.songs], store.skipped) == (["song 1", "song 3"], ("mute",))
    np.testing.assert_array_equal(store.mixture, build_store([song(1), song(3)], SMALL, tmp_path / "two").mixture)
    assert open_store(tmp_path / "store", verify=True).skipped == ("mute",)
    with pytest.raises(DataError, match="No song of the data set has a voice: add songs that are sung"):
        build_store([mute], SMALL, tmp_path / "mute")
    with pytest.raises(DataError, match="holds no frames, for no song of the data set has a voice"):
        open_store(tmp_path / "mute")


def test_a_broken_song_is_named_and_those_before_it_are_kept(tmp_path, monkeypatch):
    broken = Song("broken", 2000, np.full(900, np.nan, np.float32), song(2).voice)
    with pytest.raises(DataError, match="broken, mixture: The signal holds samples that are not finite"):
        build_store([song(1), broken, song(3)], SMALL, tmp_path)
    monkeypatch.setattr("nca.spectra.building.magnitudes", once(magnitudes, song(1).mixture))
    assert len(build_store([song(1), song(2), song(3)], SMALL, tmp_path).songs) == 3


def once(function: Callable, done: np.ndarray) -> Callable:
    """`function`, which must not be asked for what is already there."""

    def checked(samples: np.ndarray, *arguments):
        assert not np.array_equal(samples, done)
        return function(samples, *arguments)

    return checked


@pytest.mark.parametrize("room", [3, 10_000, 45_000])  # for nothing, for less than a song, for two songs
def test_a_full_disk_is_a_named_error_and_costs_nothing_that_was_written(tmp_path, room):
    songs = [song(1), song(2), song(3)]
    whole = build_store(songs, SMALL, tmp_path / "whole")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(DataError, match=r"cannot be written \(File too large\); free or allow it"):
            build_store(songs, SMALL, tmp_path / "full", workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with pytest.raises(DataError, match="unfinished"):
        open_store(tmp_path / "full")
    np.testing.assert_array_equal(build_store(songs, SMALL, tmp_path / "full").voice, whole.voice)
    assert files(tmp_path / "full") == files(tmp_path / "whole")


def test_the_greatest_number_of_half_precision_is_still_held():
    most = np.full((1, 2), np.finfo(np.float16).max, np.float32)
    assert np.array_equal(_halved(most), most)
    with pytest.raises(DataError, match="exceeds half precision"):
        _halved(most + 32)


def test_a_band_is_coarse_that_sounds_and_never_reaches_the_smallest_whole_number_of_half_precision(tmp_path, capsys):
    least = float(np.finfo(np.float16).smallest_normal)
    loudest = np.array([0, least / 1000, least / 2, least, 2 * least, 1], np.float32)
    assert _coarse(np.stack([loudest, loudest / 2, 0 * loudest])) == 2
    faint = Song("faint", 2000, 1e-8 * song(1).mixture, song(1).voice)
    build_store([faint], SMALL, tmp_path)
    assert "coarse" not in capsys.readouterr().err  # in single precision nothing is


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_frames_are_an_array_whose_pages_go_and_come_back(tmp_path, monkeypatch, precision):
    monkeypatch.setattr("nca.spectra.memmap.HELD", 1)
    store = build_store([song(1), song(2)], SMALL, tmp_path, precision=precision)
    plain = np.fromfile(next(tmp_path.glob("mixture.*")), precision).reshape(-1, SMALL.bins)
    rows = np.random.default_rng(0).permutation(len(plain)).astype(np.int32).reshape(2, -1)
    view = store.mixture[10:20]
    odd = np.arange(len(plain)) % 2 == 1
    for chosen in (rows, odd, 3, slice(5, 9), np.s_[:, 4], np.s_[2, 3], np.s_[-1]):
        np.testing.assert_array_equal(store.mixture[chosen], plain[chosen])
    assert type(store.mixture[odd]) is np.ndarray
    assert store.mixture[rows[:, :0]].shape == (2, 0, SMALL.bins)
    for wrong in ([0, -1], [len(plain), 0]):
        with pytest.raises(IndexError, match=f"There are {len(plain)} frames, and number"):
            store.mixture[np.array(wrong)]
    np.testing.assert_array_equal(view, plain[10:20])  # made before its pages went
    assert type(store.mixture[rows]) is np.ndarray
    with pytest.raises(ValueError, match="read-only"):
        store.mixture[0] = 1


def test_pages_are_let_go_once_enough_of_them_were_touched_and_not_before(tmp_path, monkeypatch):
    frames = build_store([song(1), song(2)], SMALL, tmp_path).mixture
    row, gone = 4 * SMALL.bins, []
    monkeypatch.setattr(frames, "_mmap", SimpleNamespace(madvise=gone.append))
    frames[np.array([0, 1])]  # read from the file, which touches none
    with monkeypatch.context() as small:
        small.setattr("nca.spectra.memmap.HELD", 4 * row)
        counts = [frames[number : number + 1] is not None and len(gone) for number in range(11)]
    assert counts == [0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2]
    frames._touched = 128 * 2**20 - row
    assert [frames[number : number + 1] is not None and len(gone) for number in range(2)] == [2, 3]


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("float16", torch.float16)])
def test_a_store_moves_to_a_device_only_where_it_fits(tmp_path, monkeypatch, precision, dtype):
    monkeypatch.setattr("nca.spectra.store.CHUNK", 7)
    store = build_store([song(1), song(2)], SMALL, tmp_path, precision=precision)
    wanted = 2 * store.mixture.nbytes
    monkeypatch.setattr("nca.spectra.store.free_memory", lambda device: wanted / 0.71)
    assert store.to("meta")[1] is store.voice
    monkeypatch.setattr("nca.spectra.store.free_memory", lambda device: wanted / 0.69)
    assert store.to("cpu")[0] is store.mixture
    moved = store.to("meta")  # stands for a GPU
    assert [tensor.dtype for tensor in moved] == [dtype, dtype]
    assert {tensor.device.type for tensor in moved} == {"meta"}
    assert [tensor.shape for tensor in moved] == [store.mixture.shape] * 2
    for frames in (store.mixture, store.voice):
        np.testing.assert_array_equal(_moved(frames, torch.device("cpu")), frames)
    monkeypatch.setattr("nca.spectra.store.SHARE", 0.5)
    monkeypatch.setattr("nca.spectra.store.free_memory", lambda device: 2 * wanted)
    assert store.to("meta")[0] is not store.mixture  # it fits exactly


def test_frames_that_are_not_there_are_an_error_whichever_end_they_lie_beyond(tmp_path):
    frames = build_store([song(1)], SMALL, tmp_path, workers=1).mixture
    assert (frames[np.array([[0, len(frames) - 1]])] == [[frames[0], frames[-1]]]).all()
    assert frames[np.array([], dtype=int)].shape == (0, 33)
    for numbers in ([0, len(frames)], [-1, 0]):
        with pytest.raises(IndexError, match=f"There are {len(frames)} frames, and number {numbers[0]} or"):
            frames[np.array(numbers)]


def test_the_scale_is_the_mixtures_deviation_over_all_songs(tmp_path):
    store = build_store([song(1), song(2)], SMALL, tmp_path)
    mixture = torch.cat([magnitudes(song(i).mixture, 2000, SMALL) for i in (1, 2)], -1)
    torch.testing.assert_close(store.scale(), mixture.double().std(-1, correction=0, keepdim=True).float())
