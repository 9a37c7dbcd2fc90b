"""`nca look`: any song through a network, in one file; what cannot be looked at is refused in one sentence."""

import io
import json
import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from bs4 import BeautifulSoup
from samples import trained_like

import nca
from nca.analysis.passages import through_passages
from nca.cli import main
from nca.spectra import Geometry
from nca.training import Published, Trained, load_trained

GEOMETRY = Geometry(rate=8000, fft=64, window=32, hop=8)
STEMS = ("drums", "bass", "other", "vocals")


def noise(seconds: float, rate: int = 8000, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.1, size=(round(seconds * rate), channels))


def save_network(folder: Path, name: str = "SF") -> Path:
    model, one = trained_like(name, GEOMETRY.bins).float(), torch.ones(GEOMETRY.bins, 1)
    scale = 0.5 + torch.rand(GEOMETRY.bins, 1, generator=torch.Generator().manual_seed(0))
    Trained(model, scale, one, GEOMETRY, 0, [1.0], [0.1]).save(folder)
    return folder


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., BeautifulSoup]:
    """The page that the command leaves of some sound, or of a song that is there."""
    network = save_network(tmp_path / "network")

    def looked(song: np.ndarray | Path, *options: str, rate: int = 8000, suffix: str = ".wav") -> BeautifulSoup:
        if isinstance(song, np.ndarray):
            path = tmp_path / f"song{suffix}"
            soundfile.write(path, song, rate)
            song = path
        page = tmp_path / "page.html"
        assert main(["look", str(song), "--model", str(network), "--out", str(page), *options]) == 0
        assert page.stat().st_size < 8e6
        return BeautifulSoup(page.read_text(), "html.parser")

    return looked


def heard(page: BeautifulSoup) -> dict[str, np.ndarray]:
    sounds = {audio["aria-label"]: audio["src"].partition("base64,")[2] for audio in page.find_all("audio")}
    return {name: soundfile.read(io.BytesIO(b64decode(code)))[0] for name, code in sounds.items()}


def alike(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation, however much MP3 has delayed one of them."""
    products = np.correlate(first, second, "full")
    return products.max() / np.linalg.norm(first) / np.linalg.norm(second)


def test_a_page_has_the_networks_voice_and_the_numbers_of_its_mappings(
    look: Callable[..., BeautifulSoup], tmp_path: Path
) -> None:
    song = noise(1.0)
    page, network = look(song), load_trained(tmp_path / "network")
    assert list(heard(page)) == ["mixture", "the network's voice", "voice through the couplings"]
    spectra = nca.analyse(nca.open_recording(tmp_path / "song.wav"), GEOMETRY)
    voice = network.model(spectra.mixture.abs() / network.scale) * network.scale
    assert (
        alike(heard(page)["the network's voice"], spectra.sound(voice).numpy()) > 0.8
    )  # MP3 leaves out what noise has above 3 kHz
    start = max((0, 350, 651), key=lambda first: voice[:, first : first + 350].square().sum())
    mixture = (spectra.mixture.abs() / network.scale)[:, start : start + 350]
    exact = [nca.mean_mapping(network.model, mixture), nca.mean_jacobian(network.model, mixture)]
    wanted = [nca.tod_ratio(each.matrix).item() for each in (nca.student(network.model, mixture), *exact)]
    shown = [[cell.text for cell in row.find_all("td")] for row in page.tbody.find_all("tr")]
    ratios = [float(row[0]) for row in shown]
    assert [ratios[0], *ratios[2:]] == pytest.approx(wanted, rel=0.005)
    state = json.loads(page.find("script", class_="nca-state").string)
    assert [view["strategy"] for view in state["views"]] == [
        "exact mapping, the mask's own term included",
        "exact mapping",
        "compositional strategy",
        "student strategy",
    ]
    mask = np.frombuffer(b64decode(state["views"][0]["mask"]["base64"]), np.float32)
    np.testing.assert_allclose(mask, network.model.decode(mixture).mean(-1), rtol=1e-5)


def test_words_follow_the_numbers(look: Callable[..., BeautifulSoup]) -> None:
    said = [item.text for item in look(noise(0.5)).ul.find_all("li")]
    assert said[0].startswith("Student strategy, to the mask: ")
    assert all(re.search("chance", item) for item in said)


def test_stems_are_used_where_they_are(look: Callable[..., BeautifulSoup], tmp_path: Path) -> None:
    folder = tmp_path / "a song"
    folder.mkdir()
    sources = {stem: noise(0.6, seed=seed) for seed, stem in enumerate(STEMS)}
    for stem, samples in (sources | {"mixture": sum(sources.values())}).items():
        soundfile.write(folder / f"{stem}.wav", samples, 8000, subtype="FLOAT")
    page = look(folder)
    assert page.h1.text == "a song"
    assert alike(heard(page)["true voice"], sources["vocals"][:, 0]) > 0.8
    said = re.search(r"SI-SDR is\s+(-?\d+\.\d) dB of the mixture", page.text)
    assert float(said[1]) == pytest.approx(10 * np.log10(1 / 3), abs=0.3)  # four equally loud, independent sources
    static = re.search(r"(-?\d+\.\d) dB of\s+the best constant gain", page.text)
    assert float(static[1]) == pytest.approx(float(said[1]), abs=0.3)  # this network's is 1 in each band


@pytest.mark.parametrize(
    ("seconds", "rate", "channels", "suffix"),
    [
        (1.0, 8000, 1, ".wav"),
        (0.5, 96000, 2, ".wav"),
        (0.5, 44100, 6, ".flac"),
        (0.5, 44100, 2, ".mp3"),
        (0.5, 22050, 1, ".OGG"),
        (0.2, 48000, 1, ".wav"),  # shorter than a segment
    ],
)
def test_any_rate_channels_and_format_give_a_page(
    look: Callable[..., BeautifulSoup], seconds: float, rate: int, channels: int, suffix: str
) -> None:
    page = look(noise(seconds, rate, channels), rate=rate, suffix=suffix)
    assert len(heard(page)["mixture"]) / GEOMETRY.rate == pytest.approx(seconds, abs=0.1)


def test_the_part_that_was_asked_for(look: Callable[..., BeautifulSoup]) -> None:
    song = noise(2.0)
    song[8000:12000] *= 5  # from second 1
    page = look(song, "--start", "1", "--seconds", "0.5")
    assert alike(heard(page)["mixture"], song[8000:12000, 0]) > 0.8
    loudest = look(song, "--seconds", "0.5")
    assert alike(heard(loudest)["mixture"], song[8000:12000, 0]) > 0.8


class MovedMask(torch.nn.Module):
    """A published separator in small: its mask listens to the frame before."""

    name, bins, geometry = "Moved", GEOMETRY.bins, GEOMETRY

    def mask(self, mixture: torch.Tensor) -> torch.Tensor:
        before = torch.nn.functional.pad(mixture, (1, 0))[..., :-1]
        return torch.sigmoid(mixture.roll(1, -2) - 2 * before)

    def forward(self, mixture: torch.Tensor) -> torch.Tensor:
        return self.mask(mixture) * mixture


def test_a_published_network_has_its_mapping_drawn_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Published(MovedMask(), torch.ones(GEOMETRY.bins, 1), GEOMETRY)
    monkeypatch.setattr("nca.pages.look.pretrained", {"spleeter": network}.__getitem__)
    soundfile.write(tmp_path / "song.wav", noise(0.4), 8000)
    page = tmp_path / "page.html"
    assert main(["look", str(tmp_path / "song.wav"), "--model", "spleeter", "--out", str(page)]) == 0
    lines = BeautifulSoup(page.read_text(), "html.parser").tbody.find_all("tr")
    (student, *_), *mapped = [[cell.text for cell in line.find_all(["th", "td"])] for line in lines]
    assert student == "student strategy, to the voice"
    spectra = nca.analyse(nca.open_recording(tmp_path / "song.wav"), GEOMETRY)
    frames = spectra.mixture.shape[-1]
    energy = network.model(spectra.mixture.abs()).square().sum(0)
    first = max((0, frames - 350), key=lambda start: energy[start : start + 350].sum())
    mixture = spectra.mixture.abs()[:, first : first + 350]
    whole = nca.local_mapping(network.model.mask, mixture, mask=True, frames=range(0, 350, 10))
    for (_, ratio, *_), part in zip(mapped, (whole.blocks, whole.response), strict=True):
        value, error = map(float, ratio.split(" ± "))
        assert value == pytest.approx(part.tod_ratio.value.item(), abs=error + 0.05 * value)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert main(["look", *map(str, arguments)]) == 2
    printed = capsys.readouterr()
    (sentence,) = [line for line in printed.err.splitlines() if line.startswith("nca: ")]
    assert not printed.out
    return sentence


def test_what_is_no_music_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = save_network(tmp_path / "network")
    page = ["--model", network, "--out", tmp_path / "page.html"]
    soundfile.write(tmp_path / "silence.wav", np.zeros(8000), 8000)
    soundfile.write(tmp_path / "click.wav", noise(0.01), 8000)
    soundfile.write(tmp_path / "good.wav", noise(0.5), 8000)
    (tmp_path / "text.wav").write_text("la la la")
    (tmp_path / "song.txt").write_text("la la la")
    assert "is silent there" in refused(capsys, tmp_path / "silence.wav", *page)
    assert "has 0.010 s there; give at least 0.1 s" in refused(capsys, tmp_path / "click.wav", *page)
    assert "cannot be read as WAV" in refused(capsys, tmp_path / "text.wav", *page)
    assert "is no WAV, FLAC, OGG, MP3 or *.stem.mp4" in refused(capsys, tmp_path / "song.txt", *page)
    assert "does not exist" in refused(capsys, tmp_path / "none.wav", *page)
    assert "mixture.wav is missing" in refused(capsys, tmp_path, *page)
    good = tmp_path / "good.wav"
    assert "start is 3.0, and" in refused(capsys, good, *page, "--start", "3")
    assert "above 0" in refused(capsys, good, *page, "--seconds", "0")
    assert "120 at most" in refused(capsys, good, *page, "--seconds", "121")
    assert "is not of the profile paper, but takes 33 bands at 8000 Hz" in refused(
        capsys, good, *page, "--profile", "paper"
    )
    assert "There is no network 'SFF'; give DAE, MSS-DAE, SF, spleeter" in refused(capsys, good, "--model", "SFF")
    assert "holds no complete trained model" in refused(capsys, good, "--model", tmp_path)
    assert "cannot be written" in refused(capsys, good, "--model", network, "--out", good / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_network_that_hears_nothing_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deaf = load_trained(save_network(tmp_path / "network", "DAE"))
    for tensor in (*deaf.model.weights, *deaf.model.biases):
        tensor.zero_()
    deaf.save(tmp_path / "deaf")
    soundfile.write(tmp_path / "good.wav", noise(0.5), 8000)
    assert "hears no voice in good" in refused(capsys, tmp_path / "good.wav", "--model", tmp_path / "deaf")


def test_every_frame_is_heard_through_the_couplings_of_its_passage(tmp_path: Path) -> None:
    network = load_trained(save_network(tmp_path / "network", "DAE"))
    wave = noise(0.9)[:, 0].astype(np.float32)
    spectra = nca.analyse(nca.data.Recording("noise", 8000, wave), GEOMETRY)
    passages = through_passages(network, spectra)
    assert passages.starts == [0, 350, 551]  # of 901 frames; the last two overlap
    for at, start in enumerate(passages.starts):
        made = passages.couplings[at].matrix @ passages.mixture(at) * network.scale
        shown = passages.through[:, start : start + 350]
        own = slice(0, 201 if at == 1 else 350)  # what the next has not taken over
        torch.testing.assert_close(shown[:, own], made[:, own])
