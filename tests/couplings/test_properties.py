"""What must hold for the strategies whatever the segment: batches, scales, permutations, odd and padded input."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import spectra, trained_like
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from nca.couplings import compositional, l1_optimum, least_squares, load_matrices, ridge, student
from nca.couplings.compositional import CompositionalDescent
from nca.couplings.descent import adam
from nca.couplings.network import decode
from nca.couplings.problem import couplings_memory
from nca.couplings.student import StudentDescent
from nca.errors import DataError, ParameterError
from nca.mapping import mean_mapping
from nca.metrics import chance_tod_ratio, correlation, null_space_share, snr, tod_ratio
from nca.models import MODELS, Separator, stacked
from nca.support.precision import aligned_frames

ROOT = Path(__file__).parents[2]
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
    output = decode(model, mixture)
    for bias in model.biases:
        bias.mul_(factor)
    torch.testing.assert_close(decode(model, factor * mixture), factor * output, rtol=1e-9, atol=1e-12)
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
    """On a GPU bins and frames are padded to a multiple of 64; forced here on the CPU, beside no padding at all."""
    mixture, readings = spectra(batch=(2,)), {} if strategy is student else {"gate": gate}
    monkeypatch.setattr("nca.support.precision.alignment", lambda device: (1, 1))
    plain = strategy(model, mixture, iterations=10, seed=[1, 2], **readings)
    monkeypatch.setattr("nca.support.precision.alignment", lambda device: (64, 64))
    assert aligned_frames(mixture).shape == (2, 64, 64)
    padded = strategy(model, mixture, iterations=10, seed=[1, 2], **readings)
    assert padded.matrix.shape == plain.matrix.shape
    torch.testing.assert_close(padded.matrix, plain.matrix, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(padded.loss, plain.loss, rtol=1e-9, atol=1e-12)


def test_what_is_padded_stays_zero(model, monkeypatch):
    monkeypatch.setattr("nca.support.precision.alignment", lambda device: (16, 1))
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
    with pytest.raises(ParameterError, match="precision is 'float8'; choose one of float32, tf32, bfloat16"):
        student(model, mixture.float(), precision="float8")


@pytest.mark.parametrize("strategy", [StudentDescent, CompositionalDescent])
def test_tf32_is_on_within_a_step_and_nowhere_else(strategy, monkeypatch):
    monkeypatch.setattr("nca.support.precision.check_precision", lambda precision, device: None)
    descent, seen = strategy(trained_like("DAE").float(), spectra().float(), adam(), precision="tf32"), []
    differentiate = descent.differentiate
    descent.differentiate = lambda: (seen.append(torch.get_float32_matmul_precision()), differentiate())[1]
    before = torch.get_float32_matmul_precision()
    descent.run(2)
    assert seen == ["high", "high"]
    assert torch.get_float32_matmul_precision() == before == "highest"


@pytest.mark.parametrize("strategy", [student, compositional])
def test_tf32_without_cuda_is_a_named_error(strategy):
    with pytest.raises(ParameterError, match="tf32', which CUDA devices alone have"):
        strategy(trained_like("DAE").float(), spectra().float(), precision="tf32")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("strategy", [student, compositional])
def test_tf32_on_cuda_rounds_and_finds_the_same(strategy):
    model, mixture = trained_like("DAE", 128).float().cuda(), spectra(128, 64).float().cuda()
    exact, rounded = (strategy(model, mixture, iterations=50, precision=p).matrix for p in ("float32", "tf32"))
    assert not torch.equal(exact, rounded)
    assert correlation(exact, rounded) > 0.98


@pytest.mark.parametrize(
    ("depth", "strategy", "matrices", "sized"),
    [
        (2, "student", 2 + 8 + 1, 12),
        (2, "compositional (published gate)", 16 + 8 + 1, 12),
        (4, "compositional", 32 + 8 + 1, 16),
    ],
)
def test_memory_is_counted_in_matrices_and_spectra(depth, strategy, matrices, sized):
    assert couplings_memory(7, 3, depth, strategy) == 4 * (matrices * 7 * 7 + sized * 7 * 3)
    assert couplings_memory(7, 3, depth, strategy, 8) == 2 * couplings_memory(7, 3, depth, strategy)


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


def test_the_gates_start_of_layers_that_narrow():
    net, mixture = network((12, 9, 5), 1), spectra(frames=20)
    hidden = net[:2](mixture.mT)
    first, last = ((each > 0).double().mean(0)[:, None] for each in (hidden, net[2:](hidden)))
    assert 0 < first.mean() < 1
    assert last.mean() > 0
    found = CompositionalDescent(net, mixture, adam(), "published", "row", initial="gates").matrix()
    torch.testing.assert_close(found, (last * net[2].weight) @ (first * net[0].weight), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("strategy", [student, compositional])
def test_a_batch_of_models_is_its_models(model, strategy):
    models, mixture = [model, trained_like(model.name, seed=4)], spectra()
    batch = strategy(stacked(models), mixture, iterations=5, seed=[1, 2])
    for i, each in enumerate(models):
        alone = strategy(each, mixture, iterations=5, seed=i + 1)
        torch.testing.assert_close(batch.matrix[i], alone.matrix, rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(batch.loss[i], alone.loss, rtol=1e-9, atol=1e-11)


class Matrices(TorchDispatchMode):
    """The memories of at least so many bytes that operations return, by address."""

    def __init__(self, size):
        super().__init__()
        self.size, self.seen = size, set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for each in tree_leaves(made):
            if isinstance(each, torch.Tensor) and each.untyped_storage().nbytes() >= self.size:
                self.seen.add(each.untyped_storage().data_ptr())
        return made


@pytest.mark.parametrize("kind", [StudentDescent, CompositionalDescent])
def test_a_step_makes_no_matrix_beside_those_that_are_held(model, kind):
    """Of N x N, the model's own included: eight a layer, and for the student four in all."""
    descent = kind(model, spectra(frames=3), adam())
    descent.run(1)
    owners = [descent.C] if kind is StudentDescent else [layer.P for layer in descent.layers]
    held = [each for owner in owners for each in (owner.master, owner.gradient)]
    held += [each for state in descent.optimizer.state.values() for each in state.values()]
    if kind is CompositionalDescent:
        held += [each for layer in descent.layers for each in (layer.W, layer.biased, layer.gated, layer.open)]
    with Matrices(16 * 16 * 8) as matrices:
        descent.run(2)
    assert matrices.seen <= {each.untyped_storage().data_ptr() for each in held}
    assert matrices.seen


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_gradient_costs_the_products_that_it_is_said_to(depth):
    """Two of N x N by N x N a layer, and three of N x N by N x T, of which the first layer needs but two."""
    model = Separator(16, depth).double().requires_grad_(False)
    descents = [kind(model, spectra(16, 5), adam()) for kind in (StudentDescent, CompositionalDescent)]
    for descent, products in zip(descents, (2 * 5, depth * (2 * 16 + 3 * 5) - 5), strict=True):
        with FlopCounterMode(display=False) as counter:
            descent.differentiate()
        assert counter.get_total_flops() == 2 * 16**2 * products


def test_starts_are_what_they_say_and_others_named_errors():
    model, mixture = trained_like("DAE"), spectra()
    for initial, name in (("zeros", "zero"), ("identity", "identity")):
        found, start = student(model, spectra(batch=(2,)), iterations=1, initial=initial), float(initial == "identity")
        E = (decode(model, spectra(batch=(2,))) - start * spectra(batch=(2,))).abs().sum((-2, -1))
        torch.testing.assert_close(found.loss, E[:, None])
        assert found.strategy == f"student ({name} start)"
    assert (StudentDescent(model, mixture, adam(), "zeros").matrix() == 0).all()
    assert torch.equal(StudentDescent(model, mixture, adam(), "identity").matrix(), torch.eye(12).double())
    (W, b, _), *_ = model.layers
    first = CompositionalDescent(model, mixture, adam(), initial="identity").chain[0].compose()
    torch.testing.assert_close(first[:12, :12], (W + b.mT).mT.relu() * W)
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


def readme_example(number, capsys):
    """The lines that an example of the README prints."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    exec(compile(blocks[number], "README.md", "exec"), {})
    return capsys.readouterr().out.splitlines()


def test_the_readmes_trained_network_runs(capsys):
    """Its exact mapping is far from chance, which the student does not see."""
    student_line, exact_line = readme_example(0, capsys)
    assert float(student_line.rsplit(" ", 1)[1]) < 2 * chance_tod_ratio(513)
    assert float(exact_line.rsplit(" ", 1)[1]) > 5 * chance_tod_ratio(513)


def test_the_readmes_own_network_runs(capsys):
    lines = readme_example(1, capsys)
    assert [line.rsplit(" ", 1)[0] for line in lines] == ["student", "compositional", "mean exact mapping"]
    assert all(float(line.rsplit(" ", 1)[1]) > 0 for line in lines)


def test_the_readmes_recurrent_network_runs_and_saves_its_explorer(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (line,) = readme_example(2, capsys)
    diagonal, response, same = (float(word) for word in line.split() if word[0].isdigit())
    assert diagonal > 10 * response > 0
    assert 0.9 < same < 1
    page = (tmp_path / "mapping.html").read_text()
    assert "the derivative's part alone" in page
    assert 1e5 < len(page) < 8e6


def test_a_file_without_couplings_is_a_named_error(tmp_path):
    for tensors in ({"weights.0": torch.ones(2, 2)}, {"student/loss": torch.ones(2)}, {}):
        safetensors.torch.save_file(tensors, tmp_path / "model.safetensors")
        with pytest.raises(DataError, match="holds no couplings, but"):
            load_matrices(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(b"short")
    with pytest.raises(DataError, match="cannot be read as safetensors"):
        load_matrices(tmp_path / "model.safetensors")
