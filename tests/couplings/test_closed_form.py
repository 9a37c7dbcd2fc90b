"""Matrices without iterations: batches, defaults, bounds, and what they keep of the network's precision."""

import numpy as np
import pytest
import torch
from samples import spectra, trained_like

from nca.couplings import (
    equaliser,
    identity,
    l1_optimum,
    least_squares,
    linear_composition,
    load_matrices,
    ridge,
    save_matrices,
    student,
)
from nca.couplings.reference import neural_couplings
from nca.errors import DataError, ParameterError
from nca.models import stacked


@pytest.mark.parametrize("solve", [least_squares, ridge, equaliser])
@pytest.mark.parametrize("name", ["DAE", "SF"])
def test_a_batch_of_segments_and_of_models_is_each_of_them(solve, name):
    models, segments = [trained_like(name, seed=k) for k in range(2)], spectra(batch=(2,))
    whole = solve(models[0], segments)
    many = solve(stacked(models), segments[0])
    for k in range(2):
        torch.testing.assert_close(whole.matrix[k], solve(models[0], segments[k]).matrix, rtol=1e-7, atol=1e-9)
        torch.testing.assert_close(many.matrix[k], solve(models[k], segments[0]).matrix, rtol=1e-7, atol=1e-9)


def test_the_linear_composition_of_a_batch_is_that_of_each_model():
    models = [trained_like("MSS-DAE", seed=k) for k in range(3)]
    found = linear_composition(stacked(models)).matrix
    for k, model in enumerate(models):
        torch.testing.assert_close(found[k], linear_composition(model).matrix)


def test_each_has_the_precision_of_its_network():
    for cast in (torch.float32, torch.float64):
        model, mixture = trained_like("DAE").to(cast), spectra().to(cast)
        found = [linear_composition(model), equaliser(model, mixture), least_squares(model, mixture)]
        found += [ridge(model, mixture), l1_optimum(model, mixture, [0])]
        assert {each.matrix.dtype for each in found} == {cast}


def test_the_names_by_which_tables_know_them():
    model, mixture = trained_like("SF"), spectra()
    found = [linear_composition(model), identity(12), equaliser(model, mixture)]
    found += [least_squares(model, mixture), ridge(model, mixture), l1_optimum(model, mixture, [0])]
    assert [(each.strategy, each.target) for each in found] == [
        ("linear composition", "output"),
        ("identity", "voice"),
        ("equaliser", "voice"),
        ("least squares", "output"),
        ("ridge", "output"),
        ("L1 optimum", "output"),
    ]


def test_a_weak_ridge_is_least_squares_and_a_strong_one_nothing():
    model, mixture = trained_like("DAE"), spectra(12, 5)
    assert torch.equal(ridge(model, mixture).matrix, ridge(model, mixture, strength=1e-3).matrix)
    nearest = least_squares(model, mixture).matrix
    assert (ridge(model, mixture, 1e-10).matrix - nearest).norm() < 1e-4 * nearest.norm()
    assert ridge(model, mixture, 1e10).matrix.norm() < 1e-6 * nearest.norm()
    for strength in (0, -1, float("nan")):
        with pytest.raises(ParameterError, match="it must be above zero"):
            ridge(model, mixture, strength)


def test_the_first_and_the_last_row_of_the_l1_optimum_are_there_and_none_beyond():
    model, mixture = trained_like("DAE"), spectra()
    whole = l1_optimum(model, mixture)
    torch.testing.assert_close(l1_optimum(model, mixture, [0, 11]).matrix, whole.matrix[[0, 11]])
    for row in (-1, 12):
        with pytest.raises(ParameterError, match="rows must lie between 0 and 11"):
            l1_optimum(model, mixture, [row])


def test_the_printed_algorithm_has_the_papers_iterations_and_readings_unless_told():
    model, mixture = trained_like("DAE", bins=4), spectra(4, 6)
    left_out = list(neural_couplings(model, mixture, "compositional"))
    assert len(left_out) == 600
    told = list(neural_couplings(model, mixture, "compositional", 3, 0, "printed", "column"))
    for (C, E), (other, loss) in zip(left_out, told, strict=False):
        assert torch.equal(C, other)
        assert torch.equal(E, loss)


def test_matrices_are_read_back_by_name_with_their_losses_and_targets(tmp_path):
    model, mixture = trained_like("SF"), spectra()
    found = {"student": student(model, mixture, iterations=3), "same": least_squares(model, mixture)}
    found |= {"filter": equaliser(model, mixture), "twin": found["same"]}
    found["turned"] = type(found["same"])("turned", found["same"].matrix.mT)  # not contiguous
    save_matrices(tmp_path / "couplings.safetensors", found)
    again = load_matrices(tmp_path / "couplings.safetensors")
    assert {name: each.target for name, each in again.items()} == {name: each.target for name, each in found.items()}
    for name, each in found.items():
        np.testing.assert_array_equal(again[name].matrix, each.matrix)
        assert (again[name].loss is None) == (each.loss is None)
    np.testing.assert_array_equal(again["student"].loss, found["student"].loss)
    save_matrices(tmp_path / "none.safetensors", {})
    with pytest.raises(DataError, match="holds no couplings, but nothing"):
        load_matrices(tmp_path / "none.safetensors")
