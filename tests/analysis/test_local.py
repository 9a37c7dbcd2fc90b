"""The local mapping of any network against automatic differentiation of the complete Jacobian, and known limits."""

import pytest
import torch
from samples import spectra, trained_like
from torch import nn
from torch.nn.functional import pad, relu
from torch.profiler import ProfilerActivity, profile

from nca.analysis.jacobian import Jacobian
from nca.analysis.local import local_mapping
from nca.errors import DataError, MemoryLimitError, ParameterError
from nca.mapping import mean_jacobian, mean_mapping, offset_share, offsets
from nca.training import Checkpoint

BINS, FRAMES = 6, 9
ALL = range(1 - FRAMES, FRAMES)


class Recurrent(nn.Module):
    """A mask by a recurrent network along the frames."""

    def __init__(self, kind, bidirectional=False):
        super().__init__()
        self.recurrent = kind(BINS, 5, num_layers=2, bidirectional=bidirectional)
        self.head = nn.Linear(10 if bidirectional else 5, BINS)

    def forward(self, mixture):
        return torch.sigmoid(self.head(self.recurrent(mixture.T)[0])).T


class Convolutional(nn.Module):
    """Two convolutions over time and frequency with batch norm between them; causal if asked for."""

    def __init__(self, causal=False):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 1, 3)
        self.norm = nn.BatchNorm2d(3)
        self.norm.running_mean += 0.1
        self.context = (2, 0) if causal else (1, 1)

    def forward(self, mixture):
        hidden = self.norm(relu(self.first(pad(mixture[None, None], (*self.context, 1, 1)))))
        return self.second(pad(hidden, (*self.context, 1, 1)))[0, 0]


class Attention(nn.Module):
    """A transformer's layer over the frames."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(BINS, 2, 8, batch_first=True)

    def forward(self, mixture):
        return self.layer(mixture.T[None])[0].T


class Residual(nn.Module):
    """A frame-wise block that adds its input."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(BINS, 8), nn.ReLU(), nn.Linear(8, BINS))

    def forward(self, mixture):
        return relu(mixture + self.inner(mixture.T).T)


class Stereo(nn.Module):
    """Two channels made of the mixture, a convolution over both, and their mean."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, mixture):
        channels = torch.stack([0.7 * mixture, 0.3 * mixture.square()])
        return torch.sigmoid(self.inner(channels[None]))[0].mean(0)


class LogInput(nn.Module):
    """A mask of log magnitudes, normalised over the frames."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(BINS, BINS)

    def forward(self, mixture):
        level = torch.log(mixture + 1e-3)
        return torch.sigmoid(self.inner((level - level.mean(-1, keepdim=True)).T).T)


NETWORKS = {
    "convolution": Convolutional,
    "causal convolution": lambda: Convolutional(causal=True),
    "GRU": lambda: Recurrent(nn.GRU),
    "LSTM": lambda: Recurrent(nn.LSTM),
    "bidirectional LSTM": lambda: Recurrent(nn.LSTM, bidirectional=True),
    "attention": Attention,
    "residual": Residual,
    "stereo": Stereo,
    "log input": LogInput,
}
LOOK_BACK = ["causal convolution", "GRU", "LSTM"]
every_network = pytest.mark.parametrize("name", list(NETWORKS))


def network(name):
    torch.manual_seed(4)
    return NETWORKS[name]().double().eval()


@pytest.fixture
def mixture():
    return spectra(BINS, FRAMES) + 0.01


def jacobian_of(function, mixture):
    """The complete Jacobian `(bins, frames, bins, frames)` by jacrev."""
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        return torch.func.jacrev(function)(mixture).detach()


def mean_block(complete, lag, frames=range(FRAMES)):
    return torch.stack([complete[:, t, :, t - lag] for t in frames if 0 <= t - lag < FRAMES]).mean(0)


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


@every_network
def test_every_block_is_that_of_jacrev(name, mixture):
    net = network(name)
    found, complete = local_mapping(net, mixture, lags=ALL), jacobian_of(net, mixture)
    close(found.blocks.matrix, torch.stack([mean_block(complete, lag) for lag in ALL]))
    close(found.output, net(mixture).detach())
    close(found.offset, net(mixture).detach() - torch.einsum("itjs,js->it", complete, mixture))
    assert found.offset_share == pytest.approx((found.offset.norm() / found.output.norm()).item())
    assert found.mask is None
    assert found.response is found.blocks


@every_network
def test_one_frame_and_some_rows(name, mixture):
    net = network(name)
    complete = jacobian_of(net, mixture)
    found = local_mapping(net, mixture, frames=[4], rows=[5, 0], lags=[2, 0, -3])
    expected = torch.stack([complete[[5, 0], 4, :, 4 - lag] for lag in (2, 0, -3)])
    close(found.blocks.matrix, expected)
    close(found.blocks.singular_values(), torch.linalg.svdvals(expected))
    assert (found.frames, found.rows) == ((4,), (5, 0))


@every_network
def test_the_two_terms_of_a_mask(name, mixture):
    net = network(name)
    voice = jacobian_of(lambda x: net(x) * x, mixture)
    found, mask = local_mapping(net, mixture, mask=True, lags=(0, 1)), net(mixture).detach()
    through = jacobian_of(net, mixture) * mixture[..., None, None]
    close(found.blocks.matrix, torch.stack([mean_block(voice, lag) for lag in (0, 1)]))
    close(found.response.matrix, torch.stack([mean_block(through, lag) for lag in (0, 1)]))
    close(found.mask, mask.mean(-1))
    close(found.output, mask * mixture)
    close(found.offset, mask * mixture - torch.einsum("itjs,js->it", voice, mixture))


@every_network
def test_measures_are_those_of_the_complete_jacobian(name, mixture):
    net = network(name)
    blocks, complete = local_mapping(net, mixture).blocks, jacobian_of(net, mixture)
    energy = complete.square().sum(2)
    alive = energy.sum(-1) > 0
    shares = torch.where(alive[..., None], energy / energy.sum(-1, keepdim=True), 0)
    for lag in ALL:
        there = [shares[:, t, t - lag] for t in range(FRAMES) if 0 <= t - lag < FRAMES]
        assert blocks.share(lag) == pytest.approx((torch.stack(there).sum() / alive.sum()).item(), abs=1e-12)
    same = torch.stack([complete[:, t, :, t] for t in range(FRAMES)]).abs()
    diagonal = same.diagonal(dim1=-2, dim2=-1).sum()
    distance = (torch.arange(BINS)[:, None] - torch.arange(BINS)).abs()
    assert blocks.tod_ratio.value.item() == pytest.approx((BINS**0.5 * diagonal / (same.sum() - diagonal)).item())
    assert blocks.displacement.value.item() == pytest.approx(((same * distance).sum() / same.sum()).item())
    assert blocks.share(*ALL) == pytest.approx(1)
    assert (blocks.energy.error == 0).all()


@every_network
def test_the_product_from_the_right_is_the_central_difference(name, mixture):
    net, step = network(name), 1e-6
    directions = torch.stack([spectra(BINS, FRAMES, seed) - 0.5 for seed in (1, 2)])
    for mask in (False, True):
        voice = (lambda x: net(x) * x) if mask else net
        expected = torch.stack(
            [(voice(mixture + step * u) - voice(mixture - step * u)) / (2 * step) for u in directions]
        )
        torch.testing.assert_close(Jacobian(net, mixture, mask).applied(directions), expected, rtol=1e-6, atol=1e-7)


def test_chains_of_relus_have_the_mapping_of_the_closed_form(model, mixture):
    model = trained_like(model.name, BINS)
    found = local_mapping(model, mixture)
    close(found.blocks.couplings().matrix, mean_mapping(model, mixture).matrix)
    assert found.blocks.couplings().target == "output"
    close(found.offset, offsets(model, mixture))
    assert found.offset_share == pytest.approx(offset_share(model, mixture).item())
    assert found.blocks.share(0) == 1  # frame by frame, so no energy comes from any other lag


def test_a_sequential_has_the_mapping_of_the_closed_form(mixture):
    torch.manual_seed(2)
    chain = nn.Sequential(nn.Linear(BINS, 8), nn.ReLU(), nn.Linear(8, BINS), nn.ReLU()).double()
    close(local_mapping(chain, mixture).blocks.couplings().matrix, mean_mapping(chain, mixture).matrix)


def test_skip_filtering_has_the_jacobian_of_the_closed_form(mixture):
    model = trained_like("SF", BINS)
    found, expected = local_mapping(model, mixture, mask=True), mean_jacobian(model, mixture)
    close(found.blocks.couplings().matrix, expected.matrix)
    assert found.blocks.couplings().target == expected.target
    close(found.mask, model.decode(mixture).mean(-1))


@pytest.mark.parametrize("name", LOOK_BACK)
def test_causal_networks_take_nothing_from_the_future(name, mixture):
    blocks = local_mapping(network(name), mixture, lags=ALL).blocks
    assert blocks.share(*range(1 - FRAMES, 0)) == 0
    assert (blocks.matrix[: FRAMES - 1] == 0).all()
    assert blocks.share(1) > 0


def test_a_shifted_identity_has_all_its_energy_at_its_lag_and_displacement(mixture):
    def shifted(x):
        return torch.roll(x, (1, 2), (0, 1)) * torch.tensor([0.0, 0, *[1] * (FRAMES - 2)])

    later = local_mapping(shifted, mixture, lags=(0, 2), frames=range(2, FRAMES))
    assert later.blocks.share(2) == 1
    torch.testing.assert_close(later.blocks.matrix[1], torch.eye(BINS).double().roll(1, 0))
    assert (later.blocks.matrix[0] == 0).all()
    higher = local_mapping(lambda x: torch.cat([x[2:], torch.zeros_like(x[:2])]), mixture).blocks
    assert higher.displacement.value == 2
    assert higher.tod_ratio.value == 0
    assert higher.share(0) == 1


def test_a_filter_is_all_diagonal_and_its_own_linear_part(mixture):
    gain = spectra(BINS, 1, seed=8)
    found = local_mapping(lambda x: gain.expand_as(x) + 0 * x, mixture, mask=True)
    assert found.blocks.tod_ratio.value == torch.inf
    assert found.blocks.displacement.value == 0
    assert found.offset_share == pytest.approx(0, abs=1e-15)
    assert (found.response.matrix == 0).all()
    close(found.blocks.couplings().matrix, torch.diag(gain[:, 0]))


def test_what_is_drawn_lies_within_the_stated_error():
    torch.manual_seed(0)
    bins, frames = 16, 80
    net = nn.Sequential(nn.Conv1d(bins, bins, 5, padding=4), nn.ReLU(), nn.Conv1d(bins, bins, 5)).double()
    mixture = spectra(bins, frames).square()

    def apply(x):
        return torch.sigmoid(3 * net(x))

    def figures(found):
        both = (found.blocks, found.response)
        some = [of for part in both for of in (part.tod_ratio, part.displacement)]
        lags = [frames - 1 + lag for lag in (0, 1, 2, -3)]
        energies = [(part.energy.value[lags], part.energy.error[lags]) for part in both]
        values = torch.cat([*(e[0] for e in energies), torch.stack([one.value for one in some])])
        return values, torch.cat([*(e[1] for e in energies), torch.stack([one.error for one in some])])

    complete, none = figures(local_mapping(apply, mixture, mask=True))
    assert (none == 0).all()
    for drawn in ({"frames": 25}, {"rows": 10}, {"frames": 25, "rows": 10}):
        trials = [figures(local_mapping(apply, mixture, mask=True, seed=seed, **drawn)) for seed in range(20)]
        within = torch.stack([(value - complete).abs() <= error for value, error in trials]).sum(0)
        assert (within >= 19).all(), (drawn, within)
        widths = torch.stack([error / value.abs() for value, error in trials]).median(0).values
        assert (widths < 1).all(), (drawn, widths)  # and the errors are not so wide that they say nothing


def test_a_draw_follows_from_its_seed_and_one_alone_has_no_error(mixture):
    first, again, other = (local_mapping(network("GRU"), mixture, frames=1, rows=3, seed=s) for s in (1, 1, 2))
    assert (first.frames, first.rows) == (again.frames, again.rows) != (other.frames, other.rows)
    assert first.blocks.tod_ratio.error == torch.inf
    assert local_mapping(network("GRU"), mixture, frames=1).blocks.tod_ratio.error == torch.inf
    assert (first.blocks.matrix == again.blocks.matrix).all()


@pytest.mark.parametrize("products", [1, 2, 7, 200])
def test_the_memory_that_is_allowed_changes_nothing_else(products, mixture):
    net = network("convolution")
    each = Jacobian(net, mixture, mask=True).bytes_each
    found = local_mapping(net, mixture, mask=True, memory=products * each)
    close(found.blocks.matrix, local_mapping(net, mixture, mask=True).blocks.matrix)


@pytest.mark.parametrize("mask", [False, True])
def test_a_mapping_that_was_cut_off_goes_on_to_the_same_bits(mask, mixture, tmp_path, monkeypatch):
    net, product, made, cut = network("convolution"), Jacobian.transposed, [], None

    def counted(jacobian, directions):
        if len(made) == cut:
            raise KeyboardInterrupt
        made.append(len(directions))
        return product(jacobian, directions)

    def mapped(**more):
        made.clear()
        return local_mapping(net, mixture, **arguments, **more)

    monkeypatch.setattr(Jacobian, "transposed", counted)
    arguments = {"mask": mask, "lags": (0, 2), "rows": 5, "memory": 3 * Jacobian(net, mixture, mask).bytes_each}
    at_once, calls, checkpoint = mapped(), len(made), Checkpoint(tmp_path, seconds=0)
    cut = 4
    with pytest.raises(KeyboardInterrupt):
        mapped(checkpoint=checkpoint)
    cut = None
    for left in (range(calls - 4, calls), range(1)):  # what was not written yet, and nothing once it is complete
        again = mapped(checkpoint=checkpoint)
        assert len(made) in left
        for part in ("blocks", "response"):
            one, other = (vars(getattr(mapping, part)) for mapping in (at_once, again))
            assert torch.equal(one["matrix"], other["matrix"])
            for name in ("energy", "tod_ratio", "displacement"):
                assert torch.equal(one[name].value, other[name].value)
                assert torch.equal(one[name].error, other[name].error)
    net = network("GRU")
    mapped(checkpoint=Checkpoint(tmp_path))
    assert made  # another network has a file of its own
    checkpoint.discard()
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def peak(profiled):
    """The most bytes that were held at a time, of what was taken while the profiler ran."""
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return torch.tensor([event.nbytes() for event in events]).cumsum(0).max().item()


@every_network
def test_batches_keep_to_the_memory_that_is_allowed(name):
    net, mixture = network(name), spectra(BINS, 64) + 0.01
    jacobian = Jacobian(net, mixture)
    for memory in (3 * jacobian.bytes_each, 30 * jacobian.bytes_each):
        directions = torch.randn(jacobian.batch(memory), *mixture.shape, dtype=torch.float64)
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
            jacobian.transposed(directions)
        assert directions.nbytes + peak(profiled) <= memory


def test_memory_does_not_grow_with_the_number_of_rows():
    net, mixture = network("convolution"), spectra(BINS, 64) + 0.01
    memory = 12 * Jacobian(net, mixture, mask=True).bytes_each

    def taken(frames):
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
            local_mapping(net, mixture, mask=True, frames=frames, memory=memory)
        return peak(profiled)

    few, many = taken(4), taken(40)
    assert many < 1.2 * few < memory


def test_a_gradient_whose_operation_takes_no_batches(mixture):
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            context.save_for_backward(x)
            return x.square()

        @staticmethod
        def backward(context, slope):
            (x,) = context.saved_tensors
            return 2 * torch.from_numpy(slope.numpy().copy()) * x

    found = Jacobian(Square.apply, mixture).transposed(torch.ones(2, *mixture.shape).double())
    close(found, 2 * mixture.expand(2, -1, -1))


def test_the_network_and_the_mixture_stay_as_they_are(mixture):
    net, before = network("LSTM"), mixture.clone()
    with torch.no_grad():
        local_mapping(net, mixture)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())
    assert not mixture.requires_grad
    local_mapping(lambda x: x.mul_(2), mixture)
    assert (mixture == before).all()


def sequential(*layers):
    inner = nn.Sequential(*layers).double()
    return lambda x: inner(x.T).T


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: nn.Sequential(nn.Linear(BINS, BINS), nn.Dropout()).double(), "Dropout in training mode; call .eval()"),
        (lambda: sequential(nn.BatchNorm1d(BINS)), "BatchNorm1d in training mode"),
        (lambda: lambda x: nn.functional.dropout(x, 0.5), "two outputs for one mixture"),
        (lambda: lambda x: x[:, 1:], r"makes \(6, 8\) .* keep the shape"),
        (lambda: lambda x: (x, x), "makes tuple"),
        (lambda: lambda x: torch.fft.fft(x), "complex128 .* real magnitudes"),
        (lambda: lambda x: (x > 0.5).long(), "int64"),
        (lambda: lambda x: x.detach() * 2, "No gradient leads"),
        (lambda: lambda x: torch.ones_like(x, requires_grad=True) * 2, "No gradient leads"),
        (lambda: nn.Linear(BINS + 1, BINS).double(), "cannot take a mixture"),
        (lambda: lambda x: x.cuda(), "asks for a GPU that is not there"),
    ],
)
@pytest.mark.skipif(torch.cuda.is_available(), reason="has the GPU whose lack is tested")
def test_networks_that_have_no_local_mapping(made, words, mixture):
    with pytest.raises(ParameterError, match=words):
        local_mapping(made(), mixture)


def test_what_is_refused_in_training_mode_keeps_its_state(mixture):
    norm = nn.BatchNorm1d(BINS).double()
    with pytest.raises(ParameterError, match="training mode"):
        local_mapping(lambda x: norm(x.T).T, mixture)
    assert (norm.running_mean == 0).all()


def test_numbers_that_are_not_finite(mixture):
    with pytest.raises(DataError, match="output is not finite"):
        local_mapping(lambda x: torch.log(x - x), mixture)
    with pytest.raises(DataError, match="derivative of the network is not finite"):
        local_mapping(torch.sqrt, 0 * mixture)
    with pytest.raises(DataError, match="negative or not finite"):
        local_mapping(network("GRU"), mixture * torch.nan)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mixture": spectra(BINS, FRAMES).to(torch.complex128)}, "complex128; give magnitudes"),
        ({"mixture": torch.ones(BINS, FRAMES, dtype=torch.long)}, "int64; give magnitudes"),
        ({"mixture": spectra(BINS, FRAMES, batch=(2,))}, "one segment"),
        ({"mixture": torch.empty(BINS, 0)}, "one segment"),
        ({"frames": 0}, "frames is 0"),
        ({"rows": BINS + 1}, "rows is 7"),
        ({"frames": [FRAMES]}, "frames must be different numbers from 0 to 8"),
        ({"rows": [1, 1]}, "rows must be different numbers"),
        ({"lags": [FRAMES]}, "at lag 9"),
        ({"frames": [0], "lags": [1]}, "at lag 1"),
    ],
)
def test_parameters_that_do_not_fit(arguments, words, mixture):
    with pytest.raises(ParameterError, match=words):
        local_mapping(**{"network": network("convolution"), "mixture": mixture} | arguments)


def test_a_lag_that_was_not_asked_for_and_memory_that_is_too_little(mixture):
    with pytest.raises(ParameterError, match=r"lags=\[3\]"):
        local_mapping(network("GRU"), mixture).blocks.couplings(3)
    with pytest.raises(MemoryLimitError, match="allow more"):
        local_mapping(network("GRU"), mixture, memory=100)
