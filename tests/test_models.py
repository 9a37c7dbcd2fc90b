"""Eqs. (2)-(10) against loops over single numbers in float64."""

import numpy as np
import pytest
import torch
from samples import spectra, trained_like
from torch import nn

from nca.couplings.chain import layers
from nca.couplings.network import apply_decoded, decode
from nca.errors import ParameterError
from nca.models import (
    DAE,
    MODELS,
    MSSDAE,
    Block,
    Layer,
    Residual,
    Separator,
    SkipFiltering,
    build,
    gates,
    propagate,
    stacked,
)
from nca.training import mean_squared_error


def slow_layer(W, b, x):
    """g(W x + b), number by number."""
    out = []
    for i in range(len(W)):
        total = float(b[i])
        for j in range(len(x)):
            total += float(W[i][j]) * float(x[j])
        out.append(total if total > 0 else 0.0)
    return out


def slow_voice(model, x):
    y = list(x)
    for W, b, _ in model.layers:
        y = slow_layer(W.numpy(), b.numpy().ravel(), y)
    return [m * v for m, v in zip(y, x, strict=True)] if model.name == "SF" else y


def test_equations_2_and_4_to_10(model):
    """DAE: Eq. (4), Eq. (5); MSS-DAE: Eq. (6), Eq. (7); SF: Eq. (2), Eq. (8), Eq. (9); the ReLU of Eq. (10)."""
    mixture = spectra()
    expected = np.array([slow_voice(model, mixture[:, t].tolist()) for t in range(mixture.shape[1])]).T
    np.testing.assert_allclose(model(mixture).numpy(), expected, rtol=1e-12, atol=1e-14)


def test_depths_of_section_4_1():
    assert [len(build(name, 5).layers) for name in MODELS] == [2, 4, 2]
    assert len(MSSDAE(5, hidden_layers=1).layers) == 3
    assert all(W.shape == (5, 5) and b.shape == (5, 1) for W, b, _ in MSSDAE(5).layers)


def test_mean_squared_error_is_equation_3():
    """Eq. (3), number by number."""
    voice, made = spectra(seed=1), spectra(seed=2)
    expected = sum((a - b) ** 2 for a, b in zip(voice.flatten().tolist(), made.flatten().tolist(), strict=True))
    assert mean_squared_error(voice, made).item() == pytest.approx(expected / voice.numel(), rel=1e-12)


def test_the_mask_multiplies_the_mixture():
    model, mixture = trained_like("SF"), spectra()
    torch.testing.assert_close(model(mixture), model.decode(mixture) * mixture, rtol=0, atol=0)
    torch.testing.assert_close(apply_decoded(model, model.decode(mixture), mixture), model(mixture))


def test_weights_are_normal_with_variance_one_over_bins_and_biases_zero():
    weights = torch.stack([W for W, _, _ in MSSDAE(200, seeds=1).layers]).detach()
    assert weights.mean().abs().item() < 4 / (200 * np.sqrt(200 * 4))
    assert weights.var().item() == pytest.approx(1 / 200, rel=0.02)
    kurtosis = (weights**4).mean() / weights.var() ** 2
    assert kurtosis.item() == pytest.approx(3, abs=0.1)
    assert all((b == 0).all() for _, b, _ in MSSDAE(5).layers)


def test_a_batch_holds_the_models_of_its_seeds():
    batch = DAE(6, seeds=[4, 9])
    for position, seed in enumerate([4, 9]):
        for together, single in zip(batch.layers, DAE(6, seeds=seed).layers, strict=True):
            assert torch.equal(together.weight[position], single.weight)
    mixture = torch.rand(6, 3)
    torch.testing.assert_close(batch(mixture)[1], DAE(6, seeds=9)(mixture))


def test_a_sequential_is_read_as_its_layers():
    net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3, bias=False))
    mixture = torch.rand(2, 4, 5)
    torch.testing.assert_close(decode(net, mixture), net(mixture.mT).mT)
    assert [layer.rectified for layer in layers(net)] == [True, False]


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.Tanh()), "Module 1 of the Sequential is a Tanh"),
        (nn.Sequential(nn.ReLU(), nn.Linear(2, 2)), "Module 0 of the Sequential is a ReLU"),
        (nn.Sequential(), "no Linear"),
        (nn.GRU(2, 2), "The network is a GRU"),
    ],
)
def test_other_networks_are_named_errors(network, named):
    with pytest.raises(ParameterError, match=named):
        layers(network)


@pytest.mark.parametrize("kind", [DAE, MSSDAE, SkipFiltering])
def test_without_a_seed_a_network_is_that_of_seed_0_down_to_one_bin(kind):
    for bins in (1, 4):
        for left_out, given in zip(kind(bins).weights, kind(bins, seeds=0).weights, strict=True):
            assert torch.equal(left_out, given)


def test_weights_and_biases_of_a_separator_belong_together_and_seed_0_is_the_default():
    assert all(torch.equal(*pair) for pair in zip(Separator(2, 2).weights, Separator(2, 2, 0).weights, strict=True))
    with pytest.raises(ValueError, match="shorter"):
        DAE.of(DAE(2).weights, DAE(2).biases[:1])(torch.ones(2, 1))
    with pytest.raises(ValueError, match="longer"):
        stacked([DAE(2), MSSDAE(2)])


def test_a_chain_has_the_width_and_depth_it_is_asked_for_from_one_on():
    assert [W.shape for W in Separator(1, 1).weights] == [(1, 1)]
    assert not Separator(3, 2).residual
    for bins, layers_ in ((0, 1), (1, 0)):
        with pytest.raises(ParameterError, match=f"at least one bin and one layer, not {bins} and {layers_}"):
            Separator(bins, layers_)


def test_a_residual_adds_its_input_where_the_shape_is_kept():
    block, rows = Residual(nn.Linear(3, 3), nn.ReLU()), torch.randn(5, 3)
    torch.testing.assert_close(block(rows), rows + block[0](rows).relu())
    with pytest.raises(ParameterError, match=r"make \(5, 2\) of \(5, 3\)"):
        Residual(nn.Linear(3, 2))(rows)


def test_a_unit_at_zero_is_closed_and_one_without_a_relu_is_open():
    weight, bias = torch.diag(torch.tensor([1.0, 1, 0])), torch.tensor([[0.0], [-2], [0]])
    mixture = torch.ones(3, 1)
    opened = gates([Layer(weight, bias, True), Layer(weight, bias, False)], mixture)
    assert [each[:, 0].tolist() for each in opened] == [[1, 0, 0], [1, 1, 1]]
    inner = Block([Layer(weight, bias, False)], True)
    assert [each[:, 0].tolist() for each in gates([inner], mixture)] == [[1, 1, 1], [1, 0, 1]]
    assert propagate([inner], mixture)[:, 0].tolist() == [2, 0, 1]


def test_an_unknown_model_and_an_empty_one_are_named_errors():
    with pytest.raises(ParameterError, match="no model 'UNet'; choose one of DAE, MSS-DAE, SF"):
        build("UNet", 4)
    with pytest.raises(ParameterError, match="at least one bin"):
        SkipFiltering(0)


def test_stacked_models_are_the_models():
    models = [trained_like("MSS-DAE", seed=k) for k in range(3)]
    batch = stacked(models)
    for k, model in enumerate(models):
        torch.testing.assert_close(batch.instance(k).decode(spectra()), model.decode(spectra()), rtol=0, atol=0)
