"""Runs on disk are loaded each for what it is; a page that is given too few says which are missing."""

import re

import pytest
import torch
from samples import spectra, trained_like

from nca.analysis.runs import load_couplings, load_networks, load_results, of_segment, save_results
from nca.analysis.survey import SegmentJob, survey
from nca.couplings import least_squares, linear_composition
from nca.errors import DataError, RunError
from nca.spectra import Geometry, Segment
from nca.support.files import write_json
from nca.training import Trained


def runs(folder, *pairs):
    for number, (model, strategy) in enumerate(pairs):
        write_json(folder / str(number) / "results.json", [{"model": model, "strategy": strategy, "tod_ratio": number}])
    return [str(folder / str(number)) for number in range(len(pairs))]


def test_rows_of_all_runs_in_their_order(tmp_path):
    folders = runs(tmp_path, ("DAE", "student"), ("MSS-DAE", "student"), ("SF", "student"))
    rows = load_results(folders, strategies=["student"])
    assert list(rows["model"]) == ["DAE", "MSS-DAE", "SF"]
    assert list(load_results(folders[:1], ["DAE"])["tod_ratio"]) == [0]


@pytest.mark.parametrize("gathered", [load_results, load_networks])
def test_no_runs_are_named(gathered):
    with pytest.raises(RunError, match="no runs of"):
        gathered([])


def test_what_is_missing_is_named(tmp_path):
    folders = runs(tmp_path, ("DAE", "student"), ("SF", "compositional"))
    with pytest.raises(RunError, match=re.escape("no MSS-DAE, only DAE, SF")):
        load_results(folders)
    with pytest.raises(RunError, match=re.escape("couple.md on SF that it was given have no student")):
        load_results(folders, ["DAE", "SF"], ["student"])


def network_of(name, seed, weights=0):
    """A small network; two of one name and seed differ in what their training has made of them."""
    scale, gain, geometry = torch.ones(12, 1), torch.ones(12, 1), Geometry(rate=110, fft=22, window=22, hop=4)
    return Trained(trained_like(name, seed=10 * weights + seed).float(), scale, gain, geometry, seed, [], [])


def coupled(folder, networks, pieces, keep=True):
    jobs = [SegmentJob(network, piece) for network in networks for piece in pieces]
    save_results(folder, survey(jobs, ["linear composition", "least squares"], keep=keep))
    return str(folder)


def piece(song, index):
    return Segment(song, index, 7 * index, *(spectra(seed=shift + len(song) + 3 * index).float() for shift in (0, 50)))


@pytest.fixture
def on_disk(tmp_path):
    """Two models x two seeds, and a second training of one of them, each on two segments."""
    trained, folders = [], []
    for name in ("DAE", "SF"):
        networks = [network_of(name, 1), network_of(name, 0)]
        for number, network in enumerate(networks):
            network.save(tmp_path / f"train-{name}-{number}")
            trained.append(str(tmp_path / f"train-{name}-{number}"))
        folders.append(coupled(tmp_path / name, networks, [piece("a", 0), piece("a", 1)]))
    network_of("DAE", 0, weights=1).save(tmp_path / "longer")
    folders.append(coupled(tmp_path / "of-longer", [network_of("DAE", 0, weights=1)], [piece("bb", 0), piece("a", 0)]))
    return [*trained, str(tmp_path / "longer")], folders


def test_each_matrix_comes_with_its_own_network_and_segment(on_disk):
    trained, folders = on_disk
    networks = load_networks(trained, ["DAE", "SF"])
    assert {name: [run.seed for run in runs] for name, runs in networks.items()} == {"DAE": [0, 0, 1], "SF": [0, 1]}
    found = load_couplings(folders, networks)
    assert [(one.network.model.name, one.network.seed, one.song, one.segment) for one in found] == [
        *((name, seed, "a", segment) for name in ("DAE", "SF") for seed in (1, 0) for segment in (0, 1)),
        ("DAE", 0, "bb", 0),
        ("DAE", 0, "a", 0),
    ]
    for one in found:
        mixture = piece(one.song, one.segment).mixture
        composed = linear_composition(one.network.model).matrix
        torch.testing.assert_close(one.matrices["linear composition"].matrix, composed)
        determined = least_squares(one.network.model, mixture).matrix
        torch.testing.assert_close(one.matrices["least squares"].matrix, determined, rtol=1e-3, atol=1e-4)
    for song, segment, seeds in (("a", 1, [1, 1]), ("a", 0, [1, 1])):
        chosen = of_segment(found, song, segment, ["DAE", "SF"])
        assert [(one.song, one.segment) for one in chosen.values()] == [(song, segment)] * 2
        assert [one.network.seed for one in chosen.values()] == seeds  # of several networks the first
    with pytest.raises(RunError, match="have no SF, only DAE"):
        of_segment(found, "bb", 0, ["DAE", "SF"])


def test_another_training_of_the_same_model_and_seed_is_not_taken_for_it(on_disk):
    trained, folders = on_disk
    with pytest.raises(RunError, match="used a network of DAE, seed 0, which is not among the training runs"):
        load_couplings(folders[2:], load_networks(trained[:-1], ["DAE", "SF"]))


def test_runs_that_kept_no_matrices_are_named(on_disk, tmp_path):
    networks = load_networks(on_disk[0], ["DAE", "SF"])
    folder = coupled(tmp_path / "figures", networks["SF"], [piece("a", 0)], keep=False)
    assert len(load_results([folder], ["SF"])) == 4
    with pytest.raises(DataError, match="kept no matrices"):
        load_couplings([folder], networks)


def test_a_network_is_read_when_it_is_asked_for(tmp_path):
    """Pages that show one network of each model never read the others, nor do pages that show one segment's."""
    trained = []
    for name in ("DAE", "SF"):
        for seed in (3, 0, 1):
            trained.append(str(tmp_path / f"{name}{seed}"))
            network_of(name, seed).save(trained[-1])
    folder = coupled(tmp_path / "coupled", [network_of("SF", 1)], [piece("a", 0)])
    for unread in ("DAE3", "DAE1", "SF3", "SF0"):
        (tmp_path / unread / "model.safetensors").unlink()
    networks = load_networks(trained, ["DAE", "SF"])
    assert [len(each) for each in networks.values()] == [3, 3]
    assert networks["DAE"][0].seed == 0
    (found,) = load_couplings([folder], networks)
    assert (found.network.model.name, found.network.seed) == ("SF", 1)
    with pytest.raises(DataError, match="DAE1 holds no complete trained model"):
        list(networks["DAE"])
