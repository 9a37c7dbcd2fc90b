"""Frames that were mapped one by one make together what one mapping of all of them is, and draws have true errors."""

import pytest
import torch
from samples import spectra
from torch import nn

import nca
from nca.analysis.framewise import (
    Framewise,
    convergence,
    distance_groups,
    figures_of_bands,
    lag_groups,
    load_framewise,
    pooled_tod_ratio,
    save_framewise,
    tod_ratio_of_frames,
    tod_ratio_of_rows,
)
from nca.errors import DataError

BINS, FRAMES = 12, 16


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(BINS, BINS, 5, padding=2), nn.Sigmoid()).double()
    return lambda x: net(x)


@pytest.fixture(scope="module")
def mixture():
    return spectra(BINS, FRAMES)


@pytest.fixture
def files(network, mixture, tmp_path):
    """Two files of every other frame, all bands."""
    paths = [tmp_path / "odd", tmp_path / "even"]
    for path, first in zip(paths, (1, 0), strict=True):
        frames = range(first, FRAMES, 2)
        save_framewise(path, [nca.local_mapping(network, mixture, mask=True, frames=[t]) for t in frames])
    return paths


def test_together_they_are_the_mapping_of_all_frames(files, network, mixture):
    at_once = nca.local_mapping(network, mixture, mask=True)
    for part in ("blocks", "response"):
        found, expected = load_framewise(files, part), getattr(at_once, part)
        assert found.frames.tolist() == list(range(FRAMES))
        torch.testing.assert_close(found.matrix.mean(0), expected.matrix[0])
        torch.testing.assert_close(found.energy.mean(0), expected.energy.value)
        assert pooled_tod_ratio(found, torch.ones(BINS, dtype=torch.bool)) == pytest.approx(
            expected.tod_ratio.value.item()
        )
        for group in lag_groups(found, FRAMES):
            low, high = sorted((group["lag_from"], group["lag_to"]))
            lags = range(max(low, 1 - FRAMES), min(high, FRAMES - 1) + 1)
            assert group["share"] == pytest.approx(expected.share(*lags))
            assert group["error"] == 0
        assert sum(group["share"] for group in lag_groups(found, FRAMES)) == pytest.approx(1)
        assert sum(group["share"] for group in distance_groups(found, FRAMES)) == pytest.approx(1)


def test_the_energy_over_bands_is_that_of_a_known_matrix():
    matrix = torch.zeros(1, 12, 12)
    matrix[0] = torch.eye(12) + torch.diag(torch.ones(7), 5) * 3
    known = Framewise(torch.tensor([0]), torch.arange(12), matrix, torch.ones(1, 1))
    shares = {(g["bands_from"], g["bands_to"]): g["share"] for g in distance_groups(known, 1)}
    assert shares[0, 0] == pytest.approx((7 * 0.1 + 5) / 12)
    assert shares[3, 8] == pytest.approx(7 * 0.9 / 12)


def test_the_mean_of_frames_that_differ_by_chance_gains_its_diagonal():
    """Off the diagonal chance cancels as 1 / sqrt(frames), so that TOD-R of the mean grows by the same factor."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(64, 30, 30, generator=generator) + 3 * torch.eye(30)
    known = Framewise(torch.arange(64), torch.arange(30), matrix, torch.ones(64, 1))
    rows = list(convergence(known))
    assert [row["frames"] for row in rows] == [1, 2, 4, 8, 16, 32, 64]
    assert rows[0]["tod_ratio"] == pytest.approx(tod_ratio_of_frames(known).mean().item())
    assert rows[-1]["tod_ratio"] == pytest.approx(nca.tod_ratio(matrix.mean(0)).item())
    assert rows[-1]["tod_ratio"] / rows[2]["tod_ratio"] == pytest.approx(4, rel=0.1)
    assert all(row["error"] == 0 for row in rows)
    constant = Framewise(known.frames, known.rows, matrix[:1].expand(64, -1, -1), known.energy)
    assert {round(row["tod_ratio"], 6) for row in convergence(constant)} == {round(rows_of(matrix[0]), 6)}


def rows_of(matrix):
    return tod_ratio_of_rows(matrix, torch.arange(len(matrix))).value.item()


def test_rows_that_are_drawn_lie_within_the_stated_error():
    generator = torch.Generator().manual_seed(1)
    matrix = torch.randn(200, 200, generator=generator) * torch.rand(200, 1, generator=generator) + torch.eye(200)
    complete, within = nca.tod_ratio(matrix), 0
    for _ in range(20):
        rows = torch.randperm(200, generator=generator)[:40]
        found = tod_ratio_of_rows(matrix[rows], rows)
        within += (found.value - complete).abs() <= found.error
        assert found.error < complete
    assert within >= 19


def test_groups_of_bands(files):
    blocks, response = (load_framewise(files, part) for part in ("blocks", "response"))
    everything, *groups = figures_of_bands(blocks, response, torch.arange(BINS) * 100.0)
    mask = (blocks.matrix - response.matrix).diagonal(dim1=-2, dim2=-1)
    assert (everything["hertz"], everything["rows"]) == ("all", BINS)
    assert everything["mask"] == pytest.approx(mask.mean().item())
    assert [group["rows"] for group in groups] == [3, 2, 5, 2]
    assert groups[1]["mask"] == pytest.approx(mask[:, 3:5].mean().item())
    distance = (torch.arange(3, 5)[:, None] - torch.arange(BINS)).abs() * 100
    magnitude = response.matrix[:, 3:5].abs()
    assert groups[1]["displacement"] == pytest.approx(((magnitude * distance).sum() / magnitude.sum()).item())


def test_files_that_do_not_belong_together_or_are_none(files, tmp_path, network, mixture):
    save_framewise(tmp_path / "other", [nca.local_mapping(network, mixture, mask=True, frames=[0], rows=[1, 2])])
    with pytest.raises(DataError, match="different rows"):
        load_framewise([*files, tmp_path / "other"])
    (tmp_path / "broken").write_bytes(b"no tensors")
    with pytest.raises(DataError, match="holds no mappings of frames"):
        load_framewise([files[0], tmp_path / "broken"])
