"""Residual blocks: Eq. (17) with the identity added, its gradients, the exact mapping, and what is refused."""

import numpy as np
import pytest
import torch
from samples import spectra, trained_like
from torch import nn

import nca
from nca.analysis.local import local_mapping
from nca.couplings import compositional, linear_composition, student
from nca.couplings.chain import layers
from nca.couplings.compositional import CompositionalDescent
from nca.couplings.descent import adam
from nca.couplings.network import decode
from nca.couplings.problem import prepare_chain, random_matrix
from nca.couplings.reference import neural_couplings
from nca.errors import ParameterError
from nca.mapping import frame_mappings, mean_jacobian, mean_mapping, offset_share, offsets
from nca.models import ResidualDAE, Separator, propagate

READINGS = [(gate, bias) for gate in ("printed", "published") for bias in ("column", "row")]
FITS_ALL = {"gate": "published", "bias": "row"}


def linear(out: int = 12, bias: bool = True, wide: int = 12) -> nn.Linear:
    return nn.Linear(wide, out, bias=bias)


def normed() -> nn.BatchNorm1d:
    norm = nn.BatchNorm1d(12)
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    return norm


KINDS = {
    "one block": lambda: (nca.Residual(linear(), nn.ReLU(), linear()), nn.ReLU()),
    "no last ReLU": lambda: (linear(), nn.ReLU(), nca.Residual(linear(), nn.ReLU(), linear(bias=False))),
    "a ReLU at the block's end": lambda: (nca.Residual(linear(), nn.ReLU()), linear(), nn.ReLU()),
    "nested": lambda: (
        linear(),
        nca.Residual(nn.Sequential(linear(), nn.ReLU()), nca.Residual(linear()), nn.ReLU(), linear()),
        nn.ReLU(),
        linear(),
    ),
    "a block last of a block": lambda: (nca.Residual(linear(), nn.ReLU(), nca.Residual(linear(), nn.ReLU())),),
    "two in a row": lambda: (*[nca.Residual(linear(), nn.ReLU(), linear()) for _ in range(2)], nn.ReLU()),
    "folded": lambda: (nca.Residual(normed(), linear(), nn.ReLU(), nn.Dropout(), linear(), normed()), nn.ReLU()),
    "not square": lambda: (nca.Residual(linear(5), nn.ReLU(), linear(wide=5)), nn.ReLU(), linear(7)),
}


def network(name: str) -> nn.Module:
    if name == "residual DAE":
        return ResidualDAE.of(trained_like("DAE").weights, trained_like("DAE").biases)
    torch.manual_seed(6)
    return nn.Sequential(*KINDS[name]()).double().eval().requires_grad_(False)


every = pytest.mark.parametrize("name", [*KINDS, "residual DAE"])
square = pytest.mark.parametrize("name", [name for name in (*KINDS, "residual DAE") if name != "not square"])


def composed(module, Ps, gate, bias):
    """C from the modules themselves: Eq. (17), the identity added by each nca.Residual, ReLUs left to the gates."""
    C = torch.eye(12, dtype=torch.float64)
    for child in module:
        if isinstance(child, nn.Sequential):
            inner = composed(child, Ps, gate, bias)
            C = inner @ C + C if isinstance(child, nca.Residual) else inner @ C
        elif isinstance(child, nn.Linear):
            W, P = child.weight, Ps.pop(0)
            b = torch.zeros(len(W), dtype=W.dtype) if child.bias is None else child.bias
            B = W + (b[None, :] if bias == "column" else b[:, None])
            C = torch.relu(P @ B.T if gate == "printed" else B @ P.T) * W @ C
    return C


def starts(net) -> list[torch.Tensor]:
    widths = [module.in_features for module in net.modules() if isinstance(module, nn.Linear)]
    like = torch.zeros((), dtype=torch.float64)
    return [random_matrix(n, n, torch.Size(), 7, i, like).requires_grad_() for i, n in enumerate(widths)]


@every
def test_the_chain_makes_what_the_network_makes(name):
    net = network(name)
    for mixture in (spectra(), spectra(batch=(2,))):
        problem, chain = prepare_chain(net, mixture)
        torch.testing.assert_close(propagate(chain, mixture), problem.output)
        rows = [segment.mT for segment in mixture.reshape(-1, 12, 7)]
        own = [net(each) if isinstance(net, nn.Sequential) else net(each.mT).mT for each in rows]
        torch.testing.assert_close(problem.output.reshape(-1, *problem.output.shape[-2:]).mT, torch.stack(own))


@pytest.mark.parametrize(("gate", "bias"), READINGS)
@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("folded", "not square")])
def test_value_and_gradients_are_those_of_automatic_differentiation(name, gate, bias):
    net, mixture = network(name), spectra()
    Ps = starts(net)
    E = (composed(net, list(Ps), gate, bias) @ mixture - decode(net, mixture)).abs().sum()
    E.backward()
    descent = CompositionalDescent(net, mixture, adam(), gate, bias, seed=7)
    assert descent.differentiate().item() == pytest.approx(E.item(), rel=1e-12)
    for layer, P in zip(descent.layers, Ps, strict=True):
        torch.testing.assert_close(layer.P.gradient[: len(P), : len(P)], P.grad, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(descent.matrix(), composed(net, list(Ps), gate, bias), rtol=1e-12, atol=1e-12)


def test_the_gradients_of_one_block_are_the_written_ones():
    """Eqs. (20) and (21) of a block: the identity changes E and so Δ, and nothing else."""
    model, mixture = network("residual DAE"), spectra()
    descent = CompositionalDescent(model, mixture, adam())
    descent.differentiate()
    (W_enc, W_dec), (b_enc, b_dec) = ([p.numpy() for p in each] for each in (model.weights, model.biases))
    P_enc, P_dec = (layer.P.master[:12, :12].numpy() for layer in descent.layers)
    G_enc, G_dec = (P @ (W + b.T).T for P, W, b in ((P_enc, W_enc, b_enc), (P_dec, W_dec, b_dec)))
    enc, dec = np.maximum(G_enc, 0) * W_enc, np.maximum(G_dec, 0) * W_dec
    X, Y = mixture.numpy(), model.decode(mixture).numpy()
    delta = np.sign((dec @ enc + np.eye(12)) @ X - Y) @ X.T
    of_dec = (delta @ enc.T * W_dec * (G_dec > 0)) @ (W_dec + b_dec.T)
    of_enc = (dec.T @ delta * W_enc * (G_enc > 0)) @ (W_enc + b_enc.T)
    np.testing.assert_allclose(descent.layers[1].P.gradient[:12, :12], of_dec, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(descent.layers[0].P.gradient[:12, :12], of_enc, rtol=1e-10, atol=1e-12)


@every
@pytest.mark.parametrize(("gate", "bias"), READINGS)
def test_the_strategy_is_algorithm_1(name, gate, bias):
    if name == "not square" and (gate, bias) != ("published", "row"):
        with pytest.raises(ParameterError, match="Layer 0 is 5 x 12"):
            compositional(network(name), spectra(), gate=gate, bias=bias)
        return
    net, mixture = network(name), spectra()
    steps = list(neural_couplings(net, mixture, "compositional", 30, seed=7, gate=gate, bias=bias))
    found = compositional(net, mixture, iterations=30, seed=7, gate=gate, bias=bias)
    torch.testing.assert_close(found.matrix, steps[-1][0], rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(found.loss, torch.stack([E for _, E in steps]), rtol=1e-9, atol=1e-12)


@every
def test_a_batch_padded_or_not_equals_its_segments(name, monkeypatch):
    net, mixture = network(name), spectra(batch=(2,))
    single = [compositional(net, mixture[i], iterations=5, seed=i, **FITS_ALL).matrix for i in range(2)]
    for side in (1, 32):
        monkeypatch.setattr("nca.support.precision.alignment", lambda device, side=side: (side, side))
        batch = compositional(net, mixture, iterations=5, seed=[0, 1], **FITS_ALL)
        torch.testing.assert_close(batch.matrix, torch.stack(single), rtol=1e-9, atol=1e-12)


@square
def test_the_exact_mapping_is_that_of_the_jacobian(name):
    net, mixture = network(name), spectra() + 0.01
    found = local_mapping(net, mixture)
    torch.testing.assert_close(mean_mapping(net, mixture).matrix, found.blocks.couplings().matrix)
    torch.testing.assert_close(offsets(net, mixture), found.offset)
    assert offset_share(net, mixture).item() == pytest.approx(found.offset_share)
    made = [each.matrix @ mixture[:, t] + each.offset for t, each in enumerate(frame_mappings(net, mixture))]
    torch.testing.assert_close(torch.stack(made, -1), decode(net, mixture))
    both = mean_mapping(net, torch.stack([mixture, mixture.flip(-1) ** 2])).matrix
    torch.testing.assert_close(
        both, torch.stack([mean_mapping(net, m).matrix for m in (mixture, mixture.flip(-1) ** 2)])
    )


def test_a_residual_mask_has_the_jacobian_of_its_voice():
    class ResidualMask(Separator):
        residual = True

        def voice(self, decoded, mixture):
            return decoded * mixture

    net, mixture = ResidualMask.of(trained_like("SF").weights, trained_like("SF").biases), spectra() + 0.01
    exact = local_mapping(net, mixture, mask=True).blocks.couplings().matrix
    torch.testing.assert_close(mean_jacobian(net, mixture).matrix, exact)


def test_the_linear_composition_adds_the_identity():
    net = network("no last ReLU")
    A, B, C = (net[0].weight, net[2][0].weight, net[2][2].weight)
    torch.testing.assert_close(linear_composition(net).matrix, A + C @ B @ A)


def test_the_gates_start_is_the_share_of_frames_in_which_units_are_open():
    model, mixture = network("residual DAE"), spectra(frames=20)
    (W_enc, W_dec), (b_enc, b_dec) = model.weights, model.biases
    z = W_enc @ mixture + b_enc
    summed = mixture + W_dec @ z.relu() + b_dec
    enc, dec = ((each > 0).double().mean(-1, keepdim=True) for each in (z, summed))
    found = CompositionalDescent(model, mixture, adam(), initial="gates").matrix()
    expected = torch.eye(12, dtype=torch.float64) + (dec * W_dec) @ (enc * W_enc)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


def opened_shares(net, mixture):
    """Per Linear the share of frames in which what it makes passes all ReLUs up to the next Linear."""
    passed = []

    def look(module, _, made):
        if isinstance(module, nn.Linear):
            passed.append(torch.ones_like(made))
        elif isinstance(module, nn.ReLU):
            passed[-1] = passed[-1] * (made > 0)

    hooks = [module.register_forward_hook(look) for module in net.modules()]
    net(mixture.mT)
    for hook in hooks:
        hook.remove()
    return [each.mean(0).unsqueeze(-1) for each in passed]


def weighted(module, shares):
    """Eq. (17) with a factor for each row of each weight, and the identity added by each nca.Residual."""
    C = torch.eye(12, dtype=torch.float64)
    for child in module:
        if isinstance(child, nn.Linear):
            C = shares.pop(0) * child.weight @ C
        elif isinstance(child, nn.Sequential):
            C = weighted(child, shares) @ C + (C if isinstance(child, nca.Residual) else 0)
    return C


@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("folded", "not square")])
def test_the_gates_start_counts_the_relu_of_a_block_for_its_last_layer(name):
    net, mixture = network(name), spectra(frames=20, batch=(2,))
    expected = torch.stack([weighted(net, opened_shares(net, each)) for each in mixture])
    for gate, bias in READINGS:
        found = CompositionalDescent(net, mixture, adam(), gate, bias, initial="gates").matrix()
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


class Halved(nca.Residual):
    def forward(self, x):
        return super().forward(x) / 2


def hooked() -> nca.Residual:
    block = nca.Residual(linear())
    block.register_forward_hook(lambda module, inputs, output: 3 * output)
    return block


REFUSED = {
    "Module 1 of the Sequential, Halved, has a forward of its own": lambda: Halved(linear()),
    "Module 1 of the Sequential, Residual, has forward hooks": hooked,
    r"Module 1\.0 of the Sequential is a ReLU before any Linear": lambda: nca.Residual(nn.ReLU(), linear()),
    r"Module 1\.1 of the Sequential is a Sigmoid": lambda: nca.Residual(linear(), nn.Sigmoid()),
    r"Module 1\.0\.0 of the Sequential is a GELU": lambda: nca.Residual(nca.Residual(nn.GELU())),
    "Module 1 of the Sequential is a Residual without a Linear": nca.Residual,
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_no_block_stands_for_is_refused_by_name(words):
    net = nn.Sequential(linear(), REFUSED[words]()).double().eval()
    for each in (compositional, mean_mapping, offsets):
        with pytest.raises(ParameterError, match=f"{words}.*nca.student takes any.*nca.local_mapping"):
            each(net, spectra())
    assert student(net, spectra(), iterations=1).matrix.shape == (12, 12)
    local_mapping(net, spectra() + 0.01, frames=1, rows=2)


@pytest.mark.parametrize("out", [1, 5])
def test_a_block_that_changes_the_shape_is_a_named_error(out):
    net = nn.Sequential(nca.Residual(linear(out))).double()
    assert layers(net)
    for each in (compositional, student):
        with pytest.raises(ParameterError, match=rf"make \(7, {out}\) of \(7, 12\).*keep its shape"):
            each(net, spectra())


def test_surveys_take_the_residual_dae():
    geometry = nca.profile("demo")
    segment, ones = nca.segments(nca.analyse(nca.real_song(), geometry), 4)[0], torch.ones(geometry.bins, 1)
    model = nca.build("residual-DAE", geometry.bins, 0).requires_grad_(False)
    job = nca.SegmentJob(nca.Trained(model, ones, ones, geometry, 0, [1.0], [1e-3]), segment)
    rows = nca.judge(job, ["student", "compositional", "linear composition", "mean exact mapping"], iterations=3)
    assert {row["model"] for row in rows} == {"residual-DAE"}
    exact = next(row for row in rows if row["strategy"] == "mean exact mapping")
    assert exact["exact_correlation"] == pytest.approx(1)
