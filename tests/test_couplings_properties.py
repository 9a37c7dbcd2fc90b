"""What must hold for the strategies whatever the segment: batches, scales, permutations, odd and padded input."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import spectra, trained_like
from torch import nn

from nca.couplings import compositional, l1_optimum, least_squares, ridge, student
from nca.couplings.arithmetic import aligned
from nca.couplings.compositional import CompositionalDescent
from nca.couplings.descent import adam
from nca.couplings.student import StudentDescent
from nca.errors import DataError, ParameterError
from nca.mapping import mean_mapping
from nca.metrics import correlation, null_space_share, snr, tod_ratio
from nca.models import MODELS, decode

ROOT = Path(__file__).parents[1]
READINGS = [("printed", "column"), ("printed", "row"), ("published", "column"), ("published", "row")]
few = settings(max_examples=12, deadline=None)
names, sizes, seeds = st.sampled_from(list(MODELS)), st.integers(1, 9), st.integers(0, 10**6)


def network(widths, seed):
    """A Sequential of Linear and ReLU in float64, of any widths."""
    torch.manual_seed(seed)
    chain = [m for a, b in pairwise(widths) for m in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*chain).double().requires_grad_(False)


@few
@given(st.lists(sizes, min_size=2, max_size=4), sizes, st.lists(st.integers(1, 3), max_size=2), seeds)
def test_shapes_of_any_chain_segment_and_batch(widths, frames, batch, seed):
    net, mixture = network(widths, seed), spectra(widths[0], frames, seed, tuple(batch))
    for found in (
        student(net, mixture, iterations=2, seed=seed),
        compositional(net, mixture, iterations=2, gate="published", bias="row", seed=seed),
    ):
        assert found.matrix.shape == (*batch, widths[-1], widths[0])
        assert found.loss.shape == (*batch, 2)
        assert torch.isfinite(found.matrix).all()
        assert torch.isfinite(found.loss).all()


@few
@given(names, sizes, sizes, seeds, st.sampled_from(READINGS))
def test_a_batch_is_its_elements(name, bins, frames, seed, readings):
    model, mixture = trained_like(name, bins, seed % 100), spectra(bins, frames, seed, (2,))
    gate, bias = readings
    batch = compositional(model, mixture, iterations=5, gate=gate, bias=bias, seed=[1, 2])
    for i in range(2):
        alone = compositional(model, mixture[i], iterations=5, gate=gate, bias=bias, seed=i + 1)
        torch.testing.assert_close(batch.matrix[i], alone.matrix, rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(batch.element(i).loss, alone.loss, rtol=1e-9, atol=1e-11)


@few
@given(names, sizes, sizes, seeds, st.floats(0.01, 100))
def test_scaling_mixture_and_biases_scales_the_output_and_leaves_the_matrix(name, bins, frames, seed, factor):
    """ReLU networks are homogeneous in input and biases together, and Adam forgets the gradient's scale."""
    model, mixture = trained_like(name, bins, seed % 100), spectra(bins, frames, seed)
    before = student(model, mixture, iterations=5), least_squares(model, mixture), mean_mapping(model, mixture)
    for depth, bias in enumerate(model.biases):
        bias.mul_(factor)
        assert depth < len(model.layers)
    mixture = mixture * factor
    after = student(model, mixture, iterations=5), least_squares(model, mixture), mean_mapping(model, mixture)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(other.matrix, one.matrix, rtol=1e-5, atol=1e-7)


@few
@given(names, st.integers(2, 9), sizes, seeds)
def test_permuted_bins_permute_the_exact_mapping_and_least_squares(name, bins, frames, seed):
    model, mixture = trained_like(name, bins, seed % 100), spectra(bins, frames, seed)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(bins))
    before = mean_mapping(model, mixture).matrix, least_squares(model, mixture).matrix
    for W, b in zip(model.weights, model.biases, strict=True):
        W.data, b.data = W[order][:, order], b[order]
    after = mean_mapping(model, mixture[order]).matrix, least_squares(model, mixture[order]).matrix
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(other, one[order][:, order], rtol=1e-6, atol=1e-8)


@few
@given(names, st.integers(2, 9), st.integers(1, 5), seeds)
def test_permuted_frames_change_nothing(name, bins, frames, seed):
    model, mixture = trained_like(name, bins, seed % 100), spectra(bins, frames, seed)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(frames))
    one, other = (compositional(model, x, iterations=5) for x in (mixture, mixture[:, order]))
    torch.testing.assert_close(other.matrix, one.matrix, rtol=1e-8, atol=1e-10)


@few
@given(names, sizes, st.integers(1, 4), seeds)
def test_identical_frames_count_as_one_with_a_weight(name, bins, times, seed):
    model, frame = trained_like(name, bins, seed % 100), spectra(bins, 1, seed)
    repeated = frame.expand(bins, times)
    torch.testing.assert_close(mean_mapping(model, repeated).matrix, mean_mapping(model, frame).matrix)
    torch.testing.assert_close(least_squares(model, repeated).matrix, least_squares(model, frame).matrix)
    one, many = compositional(model, frame, iterations=4), compositional(model, repeated, iterations=4)
    torch.testing.assert_close(many.loss, times * one.loss, rtol=1e-6, atol=1e-9)


@few
@given(names, sizes, sizes, seeds)
def test_silent_frames_teach_nothing(name, bins, frames, seed):
    """A frame of zeros adds to the loss what the biases make of it, and nothing to any gradient."""
    model, mixture = trained_like(name, bins, seed % 100), spectra(bins, frames, seed)
    longer = torch.cat([mixture, mixture.new_zeros(bins, 2)], dim=-1)
    for strategy in (student, compositional):
        one, other = strategy(model, mixture, iterations=4), strategy(model, longer, iterations=4)
        torch.testing.assert_close(other.matrix, one.matrix, rtol=1e-8, atol=1e-10)
        of_silence = decode(model, mixture.new_zeros(bins, 2)).abs().sum()
        torch.testing.assert_close(other.loss - one.loss, of_silence.expand(4), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("strategy", [student, compositional])
@pytest.mark.parametrize("gate", ["printed", "published"])
def test_padding_changes_no_result(model, strategy, gate, monkeypatch):
    """On a GPU bins and frames are padded to a multiple of 64; forced here on the CPU."""
    mixture, readings = spectra(batch=(2,)), {} if strategy is student else {"gate": gate}
    plain = strategy(model, mixture, iterations=10, seed=[1, 2], **readings)
    monkeypatch.setattr("nca.couplings.arithmetic.alignment", lambda device: 64)
    assert aligned(mixture).shape == (2, 64, 64)
    padded = strategy(model, mixture, iterations=10, seed=[1, 2], **readings)
    assert padded.matrix.shape == plain.matrix.shape
    torch.testing.assert_close(padded.matrix, plain.matrix, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(padded.loss, plain.loss, rtol=1e-9, atol=1e-12)


def test_what_is_padded_stays_zero(model, monkeypatch):
    monkeypatch.setattr("nca.couplings.arithmetic.alignment", lambda device: 16)
    for gate, bias in READINGS:
        descent = CompositionalDescent(model, spectra(), adam(), gate, bias)
        descent.run(5)
        for layer in descent.chain:
            assert layer.P.master[12:].abs().sum() == layer.P.master[:, 12:].abs().sum() == 0
    descent = StudentDescent(model, spectra(), adam())
    descent.run(5)
    assert descent.C.master[12:].abs().sum() == descent.C.master[:, 12:].abs().sum() == 0


@pytest.mark.parametrize("strategy", [student, compositional])
def test_bfloat16_products_find_the_same_couplings(model, strategy):
    model, mixture = model.float(), spectra(frames=40).float()
    exact, rounded = (strategy(model, mixture, iterations=400, precision=p) for p in ("float32", "bfloat16"))
    assert rounded.matrix.dtype == torch.float32
    output = decode(model, mixture)
    assert snr(output, rounded(mixture)).item() == pytest.approx(snr(output, exact(mixture)).item(), abs=0.5)
    assert tod_ratio(rounded.matrix).item() == pytest.approx(tod_ratio(exact.matrix).item(), rel=0.05)
    assert correlation(rounded.matrix, exact.matrix) > 0.98
    assert not torch.equal(rounded.matrix, exact.matrix)


def test_the_precision_of_the_model_is_the_default():
    model, mixture = trained_like("DAE"), spectra()
    assert compositional(model, mixture, iterations=2).matrix.dtype == torch.float64
    single = compositional(model.float(), mixture.float(), iterations=3)
    named = compositional(model, mixture.float(), iterations=3, precision="float32")
    assert torch.equal(single.matrix, named.matrix)
    with pytest.raises(ParameterError, match="precision is 'float8'; choose one of float32, bfloat16"):
        student(model, mixture.float(), precision="float8")


def test_mixed_types_are_named_errors():
    with pytest.raises(ParameterError, match=re.escape("so convert one with .to()")):
        student(trained_like("DAE"), spectra().float())


@pytest.mark.parametrize(("bins", "frames"), [(6, 4), (6, 15)])
def test_the_l1_optimum_is_below_every_other_matrix(bins, frames):
    model, mixture = trained_like("DAE", bins), spectra(bins, frames)
    output = decode(model, mixture)

    def loss(couplings):
        return (output - couplings(mixture)).abs().sum(-1)

    best = l1_optimum(model, mixture)
    rivals = (
        least_squares(model, mixture),
        ridge(model, mixture, 0.1),
        student(model, mixture, iterations=4000, learning_rate=1e-3),
    )
    for rival in rivals:
        assert (loss(best) <= loss(rival) + 1e-9).all()
    if frames < bins:
        assert loss(best).max() < 1e-9
    else:
        assert loss(rivals[2]).sum() < 1.1 * loss(best).sum()
        met = ((output - best(mixture)).abs() < 1e-9).sum(-1)
        assert (met >= bins).all()  # a vertex: as many frames met exactly as a row has entries
    rows = l1_optimum(model, mixture, rows=[4, 1])
    torch.testing.assert_close(loss(best)[[4, 1]], (output[[4, 1]] - rows(mixture)).abs().sum(-1))


def test_bad_rows_and_batches_of_the_l1_optimum_are_named_errors():
    model = trained_like("DAE")
    with pytest.raises(ParameterError, match="between 0 and 11"):
        l1_optimum(model, spectra(), rows=[12])
    with pytest.raises(ParameterError, match="one segment"):
        l1_optimum(model, spectra(batch=(2,)))
    with pytest.raises(DataError, match="negative or not finite"):
        l1_optimum(model, -spectra())


def test_least_squares_from_a_start_moves_it_least():
    model, mixture = trained_like("DAE"), spectra()
    start = torch.randn(12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = least_squares(model, mixture, start)
    torch.testing.assert_close(found(mixture), decode(model, mixture), rtol=1e-6, atol=1e-8)
    assert null_space_share(found.matrix - start, mixture).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("gate", "bias"), READINGS)
def test_the_gates_start_opens_every_row_as_often_as_its_unit(model, gate, bias):
    mixture, C = spectra(frames=20), torch.eye(12, dtype=torch.float64)
    x = mixture
    for W, b, _ in model.layers:
        z = W @ x + b
        C = (z > 0).double().mean(-1, keepdim=True) * (W @ C)
        x = z.relu()
    found = CompositionalDescent(model, mixture, adam(), gate, bias, initial="gates").matrix()
    torch.testing.assert_close(found, C, rtol=1e-6, atol=1e-9)
    name = compositional(model, mixture, iterations=1, gate=gate, bias=bias, initial="gates").strategy
    assert name.endswith("gates start)")


def test_starts_are_what_they_say_and_others_named_errors():
    model, mixture = trained_like("DAE"), spectra()
    assert (StudentDescent(model, mixture, adam(), "zeros").matrix() == 0).all()
    assert torch.equal(StudentDescent(model, mixture, adam(), "identity").matrix(), torch.eye(12).double())
    (W, b, _), *_ = model.layers
    first = CompositionalDescent(model, mixture, adam(), initial="identity").chain[0].compose()
    torch.testing.assert_close(first, (W + b.mT).mT.relu() * W)
    with pytest.raises(ParameterError, match="initial is 'zeros'; choose one of normal, identity, gates"):
        compositional(model, mixture, initial="zeros")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fewer_frames_than_bins_leave_the_start_in_the_null_space(seed):
    """Where the data say nothing the student keeps its start, with enough frames nothing is left of it."""
    model = trained_like("DAE")
    agreement = {}
    for frames in (4, 60):
        mixture = spectra(12, frames)
        one, other = (student(model, mixture, iterations=3000, learning_rate=2e-3, seed=s) for s in (seed, seed + 10))
        agreement[frames] = correlation(one.matrix, other.matrix)
        assert (null_space_share(one.matrix, mixture) > 0.2) == (frames < 12)
    assert agreement[60] > 0.95 > 0.7 > agreement[4]


def test_the_readmes_own_network_runs(capsys):
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    exec(compile(block[1], "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.rsplit(" ", 1)[0] for line in lines] == ["student", "compositional", "mean exact mapping"]
    assert all(float(line.rsplit(" ", 1)[1]) > 0 for line in lines)
