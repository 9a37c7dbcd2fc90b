"""The models of Sec. 6 that look beyond the frame: what they see, what they make, and that one seed is one model."""

from pathlib import Path

import pytest
import torch
from samples import spectra

import nca
from nca.analysis.local import local_mapping
from nca.couplings import compositional
from nca.couplings.network import decode
from nca.errors import ParameterError
from nca.models import FUTURE, MODELS, TEMPORAL, Batch, Masking, build

RECORD = Path(__file__).parents[1] / "book" / "records" / "future.json"
BINS, FRAMES = 9, 11
LAGS = range(1 - FRAMES, FRAMES)
every = pytest.mark.parametrize("name", FUTURE)
beyond = pytest.mark.parametrize("name", list(TEMPORAL))


def model_of(name: str, bins: int = BINS):
    """A small model in float64 with biases above zero, so that its units are open in some frames."""
    model = build(name, bins, 3).double().requires_grad_(False)
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        if not parameter.any():
            parameter.copy_(0.3 * torch.rand(parameter.shape, generator=generator, dtype=torch.float64))
    return model


@pytest.fixture
def mixture():
    return spectra(BINS, FRAMES) + 0.01


@every
def test_the_local_mapping_is_that_of_jacrev(name, mixture):
    model = model_of(name)
    mask = isinstance(model, Masking)
    found = local_mapping(model, mixture, mask, lags=LAGS)
    voice, decoded = (torch.func.jacrev(function)(mixture) for function in (model, model.decode))
    response = decoded * mixture[..., None, None] if mask else decoded
    for part, complete in ((found.blocks, voice), (found.response, response)):
        for lag in LAGS:
            blocks = [complete[:, t, :, t - lag] for t in range(FRAMES) if 0 <= t - lag < FRAMES]
            torch.testing.assert_close(part.couplings(lag).matrix, torch.stack(blocks).mean(0), rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(found.output, model(mixture))
    assert found.blocks.share(*LAGS) == pytest.approx(1)


@every
def test_each_looks_as_far_as_it_says(name, mixture):
    blocks = local_mapping(model_of(name), mixture).blocks
    reach = {"residual-DAE": [0], "context-DAE": range(-2, 3), "GRU-mask": range(FRAMES), "CNN-mask": LAGS}[name]
    seen = {lag for lag in LAGS if blocks.share(lag) > 0}
    assert seen <= set(reach)
    assert {min(reach), max(reach)} <= seen


@every
def test_a_batch_of_segments_is_each_of_them(name):
    model, mixture = model_of(name), spectra(BINS, FRAMES, batch=(2, 3))
    made = model.decode(mixture)
    assert made.shape == mixture.shape
    assert (made >= 0).all()
    torch.testing.assert_close(made[1, 2], model.decode(mixture[1, 2]))
    torch.testing.assert_close(model(mixture), made * mixture if isinstance(model, Masking) else made)
    assert torch.equal(decode(model, mixture), made)


@every
def test_one_seed_is_one_model_alone_and_in_a_batch(name):
    batch = build(name, BINS, [4, 9])
    for position, seed in enumerate([4, 9]):
        alone, again = build(name, BINS, seed), build(name, BINS, seed)
        for tensors in zip(alone.parameters(), again.parameters(), batch.instance(position).parameters(), strict=True):
            assert torch.equal(*tensors[:2])
            assert torch.equal(*tensors[1:])
    by_itself, zeroth = type(batch.instance(0))(BINS), build(name, BINS, 0)  # without a seed it is that of 0
    assert all(torch.equal(*two) for two in zip(by_itself.parameters(), zeroth.parameters(), strict=True))
    first, second = (torch.cat([p.flatten() for p in batch.instance(i).parameters()]) for i in (0, 1))
    assert not torch.equal(first, second)


@every
def test_each_has_about_the_weights_of_the_dae(name):
    sizes = {each: sum(p.numel() for p in build(each, 513, 0).parameters()) for each in ("DAE", name)}
    assert sizes[name] == pytest.approx(sizes["DAE"], rel=0.03)


def test_the_recorded_networks_have_as_many_weights():
    rows = nca.recorded_rows(str(RECORD), "network")
    for name, weights in rows.groupby("model").weights.first().items():
        assert sum(p.numel() for p in build(name, 513, 0).parameters()) == weights, name


@pytest.mark.parametrize(("name", "layer"), [("context-DAE", "out_channels"), ("GRU-mask", "hidden_size")])
def test_a_single_band_keeps_a_unit(name, layer):
    assert getattr(build(name, 1, 0).encoder, layer) == 1


@beyond
def test_weights_are_normal_by_the_number_of_inputs_and_biases_zero(name):
    for parameter in build(name, 200, 1).parameters():
        if parameter.ndim == 1:
            assert not parameter.any()
        elif parameter.numel() > 5000:
            summed = 25 if parameter.shape[1:] == (200, 5) else 1  # frames whose mean the context DAE takes, squared
            assert parameter.var().item() * parameter[0].numel() == pytest.approx(summed, rel=0.06)


def test_the_context_dae_is_a_dae_of_stacked_frames(mixture):
    model = model_of("context-DAE")
    W, V = model.encoder.weight / 5, model.decoder.weight[..., 0]
    padded = torch.nn.functional.pad(mixture, (2, 2))
    for t in range(FRAMES):
        hidden = sum(W[..., k] @ padded[:, t + k] for k in range(5)) + model.encoder.bias
        voice = (V @ hidden.relu() + model.decoder.bias).relu()
        torch.testing.assert_close(model(mixture)[:, t], voice)


def test_the_convolutional_mask_adds_the_encoder_at_each_size_and_leaks_a_fifth(mixture):
    model = model_of("CNN-mask")

    def leaky(x):
        return torch.where(x > 0, x, 0.2 * x)

    sizes = [mixture[None, None]]
    for each in model.encoder:
        rows = torch.nn.functional.unfold(sizes[-1], 5, padding=2, stride=(4, 2))
        made = each.weight.flatten(1) @ rows + each.bias[:, None]
        height, width = (-(-side // step) for side, step in zip(sizes[-1].shape[-2:], (4, 2), strict=True))
        sizes.append(leaky(made.unflatten(-1, (height, width))))
    x = sizes.pop()
    for each in model.decoder:
        x = each(x, output_size=sizes[-1].shape[-2:]) + (sizes[-1] if len(sizes) > 1 else 0)
        x = leaky(x) if len(sizes) > 1 else x.sigmoid()
        sizes.pop()
    torch.testing.assert_close(model.decode(mixture), x[0, 0])


@beyond
def test_without_a_seed_it_is_that_of_seed_0(name):
    kind = TEMPORAL[name]
    for left_out, built, given in zip(*(m.parameters() for m in (kind(9), build(name, 9), kind(9, 0))), strict=True):
        assert torch.equal(left_out, given)
        assert torch.equal(built, given)


@pytest.mark.parametrize("name", ["DAE", "GRU-mask"])
def test_an_instance_is_a_copy_that_is_not_trained(name):
    batch = build(name, 6, [1, 2])
    first = batch.instance(0)
    assert (batch.instances, batch.bins, batch.name, first.bins) == (2, 6, name, 6)
    assert not any(p.requires_grad for p in first.parameters())
    assert all(p.requires_grad for p in batch.parameters())
    before = [p.clone() for p in batch.parameters()]
    for parameter in first.parameters():
        parameter += 1
    assert all(torch.equal(*pair) for pair in zip(before, batch.parameters(), strict=True))
    if name == "DAE":
        assert (build(name, 6).instances, build(name, 6, [1]).instances) == (0, 1)


def test_only_some_are_trained_on_blocks_or_shown_frames_around_them():
    about = {name: (build(name, 6).block, build(name, 6).margin) for name in (*MODELS, *FUTURE)}
    assert {name: each for name, each in about.items() if each != (1, 0)} == {
        "context-DAE": (1, 2),
        "GRU-mask": (32, 0),
        "CNN-mask": (32, 0),
    }


def test_the_residual_dae_adds_the_mixture_before_its_last_relu(mixture):
    model = model_of("residual-DAE")
    (W, V), (b, c) = model.weights, model.biases
    torch.testing.assert_close(model(mixture), (mixture + V @ (W @ mixture + b).relu() + c).relu())


@beyond
def test_the_compositional_strategy_refuses_it_and_the_student_takes_it(name, mixture):
    model = model_of(name)
    with pytest.raises(ParameterError, match=r"The network is a (ContextDAE|\w+Mask); .*student.*local_mapping"):
        compositional(model, mixture)
    found = nca.student(model, mixture, iterations=3)
    assert found.loss[-1] < found.loss[0]


@beyond
def test_a_survey_refuses_it_by_name(name):
    geometry, ones = nca.profile("demo"), torch.ones(513, 1)
    segment = nca.segments(nca.analyse(nca.real_song(), geometry), 4)[0]
    job = nca.SegmentJob(nca.Trained(build(name, 513, 0), ones, ones, geometry, 0, [1.0], [1e-3]), segment)
    with pytest.raises(ParameterError, match=f"takes chains of layers, and {name} is none"):
        nca.survey([job], ["student"])


def test_every_name_is_in_the_error_of_another():
    with pytest.raises(ParameterError, match=f"no model 'UNet'; choose one of {', '.join([*MODELS, *FUTURE])}"):
        build("UNet", 4)
    assert isinstance(build("GRU-mask", 4, [1]), Batch)
