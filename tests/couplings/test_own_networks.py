"""Never another network than the one given: what is taken is exactly what the network computes, or refused by name."""

import re
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from samples import spectra, trained_like
from torch import nn
from torch.func import jacrev
from torch.nn.modules.module import register_module_forward_hook

from nca.analysis.strategies import by_strategy
from nca.couplings import compositional, equaliser, least_squares, linear_composition, ridge, student
from nca.couplings.chain import layers
from nca.couplings.network import cannot_take, check_ready, decode, makes_voice
from nca.couplings.problem import prepare_chain, prepare_problem
from nca.errors import DataError, ParameterError
from nca.mapping import frame_mappings, mean_jacobian, mean_mapping, offset_share, offsets
from nca.models import DAE, Separator, propagate

CHAIN_ONLY = [compositional, mean_mapping, offsets, offset_share, lambda *given: list(frame_mappings(*given))]
ANY = [student, least_squares, ridge, equaliser]


def plain(*modules: nn.Module) -> nn.Sequential:
    torch.manual_seed(1)
    modules = modules or (nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU())
    return nn.Sequential(*modules).double().eval().requires_grad_(False)


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Leaky(nn.ReLU):
    def forward(self, x):
        return nn.functional.leaky_relu(x, 0.5)


class Louder(DAE):
    def forward(self, mixture):
        return 2 * super().forward(mixture)


class Softer(DAE):
    def decode(self, mixture):
        return super().decode(mixture) / 2


def residual() -> nn.Module:
    torch.manual_seed(1)
    return Residual(nn.Linear(12, 12), nn.ReLU()).double()


def hooked() -> nn.Module:
    net = plain()
    net[1].register_forward_hook(lambda module, inputs, output: 3 * output)
    return net


def patched() -> nn.Module:
    net = plain()
    net[0].forward = lambda x: 0 * x
    return net


def hooked_dae() -> nn.Module:
    model = trained_like("DAE")
    model.register_forward_hook(lambda module, inputs, output: 3 * output)
    return model


def like(kind: type[Separator]) -> nn.Module:
    return kind.of(trained_like("DAE").weights, trained_like("DAE").biases)


ALTERED = {
    "The network, Residual, has a forward of its own": residual,
    "Module 0 of the Sequential, Doubled, has a forward of its own": lambda: plain(Doubled(12, 12), nn.ReLU()),
    "Module 1 of the Sequential, Leaky, has a forward": lambda: plain(nn.Linear(12, 12), Leaky()),
    "Module 1 of the Sequential, ReLU, has forward hooks": hooked,
    "Module 0 of the Sequential, Linear, has a forward": patched,
    r"Module 1\.0 of the Sequential is a Sigmoid": lambda: plain(nn.Linear(12, 12), nn.Sequential(nn.Sigmoid())),
    "The network, Softer, has a decode of its own": lambda: like(Softer),
    "The network is a <lambda>": lambda: lambda mixture: mixture.sqrt(),
}


@pytest.mark.parametrize("words", ALTERED)
def test_what_needs_the_layers_refuses_by_name_and_the_student_takes_the_network_as_it_is(words):
    network, mixture = ALTERED[words](), spectra()
    for each in CHAIN_ONLY:
        with pytest.raises(ParameterError, match=f"{words}.*nca.student takes any"):
            each(network, mixture)
    with pytest.raises(ParameterError, match=words):
        linear_composition(network)
    own = network(mixture) if not isinstance(network, nn.Sequential) else network(mixture.mT).mT
    torch.testing.assert_close(prepare_problem(network, mixture).output, own)
    for each in ANY:
        options = {"iterations": 2} if each is student else {}
        assert each(network, mixture, **options).matrix.shape == (12, 12)
    torch.testing.assert_close(least_squares(network, mixture)(mixture), own, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("network", [hooked_dae(), like(Louder)])
def test_a_separator_whose_forward_is_not_the_voice_of_its_output_is_refused_everywhere(network):
    for each in (*ANY, *CHAIN_ONLY):
        with pytest.raises(ParameterError, match=r"(own forward|has (a forward|forward hooks)).*nca.student"):
            each(network, spectra())
    assert student(lambda mixture: network(mixture), spectra(), iterations=1).matrix.shape == (12, 12)


def test_a_separator_with_a_voice_of_its_own_keeps_it():
    class Soft(DAE):
        def voice(self, decoded, mixture):
            return decoded / (1 + decoded) * mixture

    network, mixture = like(Soft), spectra()
    torch.testing.assert_close(prepare_chain(network, mixture)[0].output, trained_like("DAE").decode(mixture))
    gain = equaliser(network, mixture).matrix.diag()
    torch.testing.assert_close(gain, (mixture * network(mixture)).sum(-1) / mixture.square().sum(-1))
    slopes = [jacrev(lambda x: network(x.unsqueeze(-1)).squeeze(-1))(frame) for frame in mixture.mT]
    torch.testing.assert_close(mean_jacobian(network, mixture).matrix, torch.stack(slopes).mean(0))
    assert not makes_voice(network)


def normed() -> list[nn.Module]:
    torch.manual_seed(2)
    norms = [nn.BatchNorm1d(12) for _ in range(3)] + [nn.BatchNorm1d(12, affine=False)]
    for norm in norms:
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
        if norm.affine:
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
    return norms


def test_what_can_be_folded_is_and_the_rest_passed_through():
    a, b, c, d = normed()
    inner = nn.Sequential(nn.Identity(), nn.Linear(12, 9, bias=False), nn.ReLU(), nn.Dropout(0.5))
    networks = {
        1: plain(a, nn.Linear(12, 12), b, nn.ReLU()),
        2: plain(nn.Linear(12, 12), nn.ReLU(), c, a, nn.Linear(12, 12), d, nn.ReLU()),
        3: plain(nn.Sequential(nn.Linear(12, 12), nn.ReLU()), inner, nn.Linear(9, 12)),
    }
    for depth, network in networks.items():
        for mixture in (spectra(), spectra(batch=(2,))):
            problem, chain = prepare_chain(network, mixture)
            assert len(chain) == depth
            torch.testing.assert_close(propagate(chain, mixture), problem.output)
        rows = network(spectra().mT).mT
        made = [m.matrix @ spectra()[:, t] + m.offset for t, m in enumerate(frame_mappings(network, spectra()))]
        torch.testing.assert_close(torch.stack(made, -1), rows)
        readings = {"gate": "published", "bias": "row"} if depth == 3 else {}
        assert compositional(network, spectra(), iterations=2, **readings).matrix.shape == (12, 12)
    alone = plain(a, nn.Linear(12, 12), nn.Linear(12, 12)), plain(nn.Linear(12, 12), b, nn.Linear(12, 12), nn.ReLU())
    assert [len(layers(network)) for network in alone] == [2, 2]  # a norm is folded once, two Linears never are
    last = plain(nn.Linear(12, 12), nn.ReLU(), a)
    torch.testing.assert_close(propagate(prepare_chain(last, spectra())[1], spectra()), last(spectra().mT).mT)


@pytest.mark.parametrize("lacking", [["running_mean"], ["running_var"], ["running_mean", "running_var"]])
def test_a_norm_without_its_statistics_is_a_named_error(lacking):
    norm = nn.BatchNorm1d(12)
    for name in lacking:
        setattr(norm, name, None)
    with pytest.raises(ParameterError, match="Module 0 of the Sequential is a BatchNorm1d without running statistics"):
        layers(plain(norm, nn.Linear(12, 12)))


def test_what_holds_no_numbers_or_is_in_training_has_no_layers_whatever_else_it_holds():
    cases = {
        "is on the meta device": nn.Sequential(nn.Linear(12, 12), nn.Linear(12, 12, device="meta")),
        "has lazy layers": nn.Sequential(nn.Linear(12, 12), nn.LazyLinear(12)),
        "holds a Dropout in training mode": nn.Sequential(nn.Linear(12, 12), nn.Dropout()),
        "holds a BatchNorm1d in training mode": nn.Sequential(nn.Linear(12, 12), nn.BatchNorm1d(12)),
    }
    for words, network in cases.items():
        with pytest.raises(ParameterError, match=words):
            layers(network)


def test_a_recurrent_network_is_ready_unless_it_drops_units_in_training():
    check_ready(nn.GRU(3, 3))
    check_ready(nn.GRU(3, 3, 2, dropout=0.5).eval())
    with pytest.raises(ParameterError, match=r"holds a GRU in training mode; call \.eval"):
        check_ready(nn.GRU(3, 3, 2, dropout=0.5))


def test_whose_output_is_the_voice():
    networks = trained_like("DAE"), trained_like("MSS-DAE"), trained_like("SF"), plain(), torch.sqrt
    assert [makes_voice(network) for network in networks] == [True, True, False, True, True]


@contextmanager
def altered(change):
    """What every Sequential makes is changed on its way out, which no look at the modules shows."""
    hook = register_module_forward_hook(lambda module, _, made: change(made) if type(module) is nn.Sequential else None)
    try:
        yield
    finally:
        hook.remove()


@pytest.mark.parametrize("unit", [1e-4, 1, 1e4])
def test_layers_that_do_not_make_the_networks_output_are_refused_beyond_rounding(unit):
    """The tolerance is half the digits of the output's largest entry."""
    network, mixture = plain(nn.Linear(12, 12, bias=False), nn.ReLU()), unit * spectra()
    half = torch.finfo(mixture.dtype).eps ** 0.5
    with altered(lambda made: made * (1 + half / 2)):
        prepare_chain(network, mixture)
    with altered(lambda made: made * (1 + 2 * half)), pytest.raises(ParameterError, match="chain of its layers is not"):
        prepare_chain(network, mixture)


def test_an_output_that_cancels_is_compared_as_exactly_as_its_sums_are():
    """Where it should be zero, it may be as far from it as a sum over the bins is rounded."""
    network, mixture = plain(nn.Linear(12, 12, bias=False)), 1e6 * spectra()
    network[0].weight.zero_()
    rounding = 12 * torch.finfo(mixture.dtype).eps * mixture.max()
    with altered(lambda made: made + rounding / 2):
        prepare_chain(network, mixture)
    with altered(lambda made: made + 2 * rounding), pytest.raises(ParameterError, match="chain of its layers is not"):
        prepare_chain(network, mixture)
    assert (prepare_chain(network, 0 * mixture)[0].output == 0).all()  # silence is met exactly


def test_one_relu_used_twice_counts_twice():
    relu = nn.ReLU()
    network = plain(nn.Linear(12, 12), relu, nn.Linear(12, 12), relu)
    assert [layer.rectified for layer in prepare_chain(network, spectra())[1]] == [True, True]


@pytest.mark.parametrize("strategy", [student, compositional])
def test_what_cannot_speak_is_told_how(strategy):
    mixture = spectra()
    training = nn.Sequential(nn.Linear(12, 12), nn.Dropout(0.5)).double()
    cases = {
        r"is a ndarray; give a tensor, as torch\.as_tensor": (plain(), mixture.numpy()),
        r"transposed, give mixture\.mT": (plain(), mixture.mT),
        r"is torch\.int64; give magnitudes as floating-point": (plain(), mixture.long()),
        r"is torch\.complex128; give magnitudes as floating-point": (plain(), mixture + 0j),
        r"mixture\.to\('cpu', torch\.float32\)": (plain().float(), mixture),
        "is on the meta device and holds no numbers": (plain().to("meta"), mixture),
        "has lazy layers without weights yet": (nn.Sequential(nn.LazyLinear(12)).double(), mixture),
        r"holds a Dropout in training mode; call \.eval": (training, mixture),
    }
    for words, (network, given) in cases.items():
        with pytest.raises(ParameterError, match=words):
            strategy(network, given)
    assert isinstance(mixture.numpy(), np.ndarray)
    broken = plain()
    broken[0].weight[0, 0] = float("nan")
    with pytest.raises(DataError, match="output is not finite"):
        strategy(broken, mixture)


@pytest.mark.parametrize("shape", [(12,), (11, 7), (2, 11, 7), (2, 12, 0), (2, 7, 12)])
def test_a_mixture_of_another_shape_is_told_how_to_be_turned_where_that_helps(shape):
    with pytest.raises(ParameterError, match=r"\(\.\.\., 12 bins, at least one frame\)") as error:
        prepare_problem(plain(), torch.ones(shape, dtype=torch.float64))
    hint = "; it is transposed, give mixture.mT" if shape == (2, 7, 12) else ""
    assert str(error.value).endswith(f"not {shape}{hint}.")


@pytest.mark.parametrize("sign", ["Torch not compiled with CUDA enabled", "Found no NVIDIA driver on your system", "?"])
def test_a_failed_call_speaks_of_a_gpu_where_its_error_does(sign):
    words = "move it to where the mixture is" if sign != "?" else "wrap it in a function"
    assert words in str(cannot_take(spectra(), RuntimeError(sign)))


def test_the_student_names_what_a_function_does_wrong():
    mixture = spectra()
    with pytest.raises(ParameterError, match=r"cannot take a mixture \(12, 7\) .*wrap it"):
        student(lambda x: x @ x, mixture)
    with pytest.raises(ParameterError, match=r"\(\.\.\., out, 7 frames\).*not \(12, 3\); wrap it"):
        student(lambda x: x[:, :3], mixture)
    with pytest.raises(ParameterError, match=r"gives torch\.complex128 .* give real magnitudes"):
        student(torch.fft.fft, mixture)
    with pytest.raises(ParameterError, match=r"gives torch\.int64"):
        student(lambda x: (x > 0.5).long(), mixture)
    with pytest.raises(ParameterError, match=r"not \(7,\); wrap it"):
        student(lambda x: x[0], mixture)
    with pytest.raises(DataError, match="output is not finite"):
        student(lambda x: x / (x - x[0, 0]), mixture)
    with pytest.raises(ParameterError, match="not tuple"):
        student(lambda x: (x, x), mixture)
    recurrent = nn.GRU(12, 12).double().requires_grad_(False)
    found = least_squares(lambda x: recurrent(x.mT)[0].mT, mixture)
    torch.testing.assert_close(found(mixture), recurrent(mixture.mT)[0].mT, rtol=1e-6, atol=1e-8)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has the GPU whose lack is tested")
def test_a_network_that_asks_for_a_missing_gpu_is_told_so():
    with pytest.raises(ParameterError, match="asks for a GPU that is not there"):
        student(lambda x: x.cuda(), spectra())


def test_a_sequential_never_mixes_the_segments_of_a_batch():
    class Cumulative(nn.Sequential):
        def forward(self, rows):
            return super().forward(rows).cumsum(0)

    torch.manual_seed(0)
    network, segments = Cumulative(nn.Linear(12, 12)).double(), spectra(batch=(2,))
    for i in range(2):
        torch.testing.assert_close(decode(network, segments)[i], network(segments[i].mT).mT)


def test_layers_that_are_not_square_have_a_strategy_by_name():
    network, mixture = plain(nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 12), nn.ReLU()), spectra()
    name = "compositional (published gate, row bias)"
    with pytest.raises(ParameterError, match=re.escape(f"the strategy '{name}'")):
        by_strategy("compositional", network, mixture, iterations=2)
    found = by_strategy(name, network, mixture, iterations=3)
    written = compositional(network, mixture, iterations=3, gate="published", bias="row")
    assert torch.equal(found.matrix, written.matrix)
    assert found.strategy == written.strategy == name
