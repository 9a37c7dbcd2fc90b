"""The exact mapping against the network itself, automatic differentiation, and its own average."""

from itertools import pairwise

import pytest
import torch
from samples import spectra, trained_like
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import nca
from nca.couplings import linear_composition
from nca.couplings.network import decode, makes_voice
from nca.data import real_song
from nca.mapping import frame_mappings, mean_jacobian, mean_mapping, offset_share, offsets
from nca.models import stacked
from nca.spectra import analyse, profile


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_the_mapping_makes_the_output_of_every_frame(model, dtype, bound):
    """Eq. (14) with its gates known, and the offset of the biases."""
    model, mixture = model.to(dtype), spectra(frames=40).to(dtype)
    made = torch.stack([C.matrix @ mixture[:, t] + C.offset for t, C in enumerate(frame_mappings(model, mixture))], -1)
    output = decode(model, mixture)
    assert (made - output).abs().max() <= bound * output.abs().max()


def test_the_matrix_is_the_jacobian(model):
    mixture = spectra()
    for t, mapping in enumerate(frame_mappings(model, mixture)):
        jacobian = torch.func.jacrev(lambda x: decode(model, x.unsqueeze(-1)).squeeze(-1))(mixture[:, t])
        torch.testing.assert_close(mapping.matrix, jacobian)


def test_the_closed_form_is_the_mean_of_the_frames(model):
    mixture = spectra(frames=20)
    expected = torch.stack([m.matrix for m in frame_mappings(model, mixture)]).mean(0)
    torch.testing.assert_close(mean_mapping(model, mixture).matrix, expected, rtol=1e-6, atol=1e-12)


def test_the_mean_jacobian_of_the_voice(model):
    mixture = spectra(frames=20)
    slopes = [torch.func.jacrev(lambda x: model(x.unsqueeze(-1)).squeeze(-1))(mixture[:, t]) for t in range(20)]
    found = mean_jacobian(model, mixture)
    assert found.target == "voice"
    torch.testing.assert_close(found.matrix, torch.stack(slopes).mean(0))
    same = torch.allclose(found.matrix, mean_mapping(model, mixture).matrix)
    assert same == (model.name != "SF") == makes_voice(model)


def test_offsets_are_those_of_the_frames_and_vanish_without_biases(model):
    mixture = spectra()
    expected = torch.stack([m.offset for m in frame_mappings(model, mixture)], -1)
    torch.testing.assert_close(offsets(model, mixture), expected)
    for bias in model.biases:
        bias.zero_()
    assert (offsets(model, mixture) == 0).all()


def test_a_batch_of_segments_and_models(model):
    segments = spectra(batch=(2,))
    models = [model, trained_like(model.name, seed=4)]
    for mean in (mean_mapping, mean_jacobian):
        for i, found in enumerate(mean(model, segments).matrix):
            torch.testing.assert_close(found, mean(model, segments[i]).matrix)
        alone, both = mean(stacked(models), segments[0]).matrix, mean(stacked(models), segments[:, None]).matrix
        for j, each in enumerate(models):
            torch.testing.assert_close(alone[j], mean(each, segments[0]).matrix)
            for i in range(2):
                torch.testing.assert_close(both[i, j], mean(each, segments[i]).matrix)


def test_without_relus_every_frame_is_the_linear_composition():
    net = nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 4), nn.Linear(4, 3)).double()
    mixture = spectra(5, 6)
    expected = linear_composition(net).matrix
    torch.testing.assert_close(mean_mapping(net, mixture).matrix, expected)
    assert all(torch.allclose(m.matrix, expected) for m in frame_mappings(net, mixture))


def chain(*widths):
    """A Sequential of Linear and ReLU in float64, of these widths."""
    torch.manual_seed(3)
    return nn.Sequential(*[each for a, b in pairwise(widths) for each in (nn.Linear(a, b), nn.ReLU())]).double()


def blocks_between(bins, inner, out):
    """Residual blocks, which are narrower within, before a layer and after it."""
    torch.manual_seed(3)
    wide, narrow = (nca.Residual(nn.Linear(side, inner), nn.ReLU(), nn.Linear(inner, side)) for side in (bins, out))
    return nn.Sequential(wide, nn.ReLU(), nn.Linear(bins, out), narrow, nn.ReLU()).double()


@pytest.mark.parametrize(
    "net", [chain(5, 4), chain(5, 7, 6), chain(5, 7, 4, 3), chain(5, 9, 2, 6, 5), blocks_between(5, 2, 3)]
)
def test_layers_of_any_width(net):
    mixture = spectra(5, 30, batch=(2,))
    found = mean_mapping(net, mixture).matrix
    for i in range(2):
        expected = torch.stack([m.matrix for m in frame_mappings(net, mixture[i])]).mean(0)
        assert expected.abs().max() > 0
        torch.testing.assert_close(found[i], expected)


@pytest.mark.parametrize(("name", "passes", "products"), [("DAE", 7, 1), ("residual-DAE", 9, 1), ("MSS-DAE", 12, 20)])
def test_the_mean_costs_one_product_of_matrices_or_those_of_the_open_units(name, passes, products):
    """Beside the passes of all frames through a layer; products over all units would be 81 for the MSS-DAE."""
    model, mixture = trained_like(name, 32), spectra(32, 40)
    with FlopCounterMode(display=False) as counter:
        mean_mapping(model, mixture)
    assert counter.get_total_flops() <= 2 * 32**2 * (passes * 40 + products * 32)


def test_one_layer_and_closed_units():
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU()).double()
    net[0].weight.data, net[0].bias.data = -torch.eye(3).double(), torch.zeros(3).double()
    assert (mean_mapping(net, spectra(3, 4)).matrix == 0).all()
    net[0].weight.data, net[0].bias.data = torch.eye(3).double(), torch.tensor([0, -0.5, -2]).double()
    mixture = spectra(3, 9)
    open_in = (mixture[1] > 0.5).double().mean().item()
    assert 0 < open_in < 1
    torch.testing.assert_close(mean_mapping(net, mixture).matrix, torch.tensor([1, open_in, 0]).double().diag())


def test_the_share_of_the_offsets(model):
    mixture = spectra(batch=(2,))
    share = offset_share(model, mixture)
    for i in range(2):
        carried = torch.stack([m.offset for m in frame_mappings(model, mixture[i])], -1)
        assert share[i].item() == pytest.approx((carried.norm() / decode(model, mixture[i]).norm()).item())
    for bias in model.biases:
        bias.mul_(1e-6)
    quiet = offset_share(model, 1e-6 * mixture)  # the same network in other units
    torch.testing.assert_close(quiet, share, rtol=1e-6, atol=0)
    for bias in model.biases:
        bias.zero_()
    assert (offset_share(model, mixture) == 0).all()
    assert offset_share(model, 0 * mixture[0]) == 0  # and a silent output is no division by zero


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("name", ["DAE", "MSS-DAE", "SF"])
def test_every_frame_of_the_real_song(name, dtype, bound):
    """The mapping makes the output, frame by frame, and its closed-form mean is the mean of the frames."""
    geometry = profile("demo")
    mixture = analyse(real_song(), geometry).mixture.abs()
    mixture = (mixture / mixture.std(-1, keepdim=True)).to(dtype)
    model = trained_like(name, geometry.bins).to(dtype)
    output, made, total = decode(model, mixture), torch.empty_like(mixture), torch.zeros(513, 513, dtype=dtype)
    for t, mapping in enumerate(frame_mappings(model, mixture)):
        made[:, t] = mapping.matrix @ mixture[:, t] + mapping.offset
        total += mapping.matrix
    assert mixture.shape[-1] > 600
    assert (made - output).abs().max() <= bound * output.abs().max()
    mean = mean_mapping(model, mixture).matrix
    assert (total / mixture.shape[-1] - mean).norm() <= 1e-6 * mean.norm()
