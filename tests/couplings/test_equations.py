"""Eqs. (11)-(21) and Algorithm 1 against slow, independent computations in float64."""

import numpy as np
import pytest
import torch
from samples import spectra, trained_like
from torch import nn

from nca.couplings import compositional, descent, equaliser, identity, least_squares, linear_composition, ridge, student
from nca.couplings.chain import layers
from nca.couplings.compositional import CompositionalDescent, GatedLayer, backward, forward
from nca.couplings.problem import random_matrix
from nca.couplings.student import StudentDescent
from nca.errors import DataError, ParameterError
from nca.mapping import mean_mapping
from nca.models import Layer, gates
from nca.support.precision import aligned_frames

READINGS = [(gate, bias) for gate in ("printed", "published") for bias in ("column", "row")]


def gate_matrix(W, b, P, gate, bias):
    """Eq. (18) and Eq. (19), number by number: G[i, j] of P, W and b."""
    added = np.array([[W[a, c] + (b[c] if bias == "column" else b[a]) for c in range(len(W))] for a in range(len(W))])
    G = np.zeros_like(W)
    for i in range(len(W)):
        for j in range(len(W)):
            pairs = zip(P[i], added[j], strict=True) if gate == "printed" else zip(added[i], P[j], strict=True)
            G[i, j] = max(0.0, sum(p * a for p, a in pairs))
    return G


def composed(model, Ps, gate, bias):
    """Eq. (17) as it is printed: C formed from gated weights, from an identity on (Algorithm 1)."""
    C = np.eye(model.bins)
    for (W, b, _), P in zip(model.layers, Ps, strict=True):
        W, b = W.numpy(), b.numpy().ravel()
        C = (W * gate_matrix(W, b, P, gate, bias)) @ C
    return C


def initial(model, seed=0):
    like = torch.zeros((), dtype=torch.float64)
    return [random_matrix(model.bins, model.bins, torch.Size(), seed, i, like) for i in range(len(model.layers))]


def adam(parameters, gradient, iterations, rate):
    """Kingma and Ba's Algorithm 1 in NumPy, over a list of matrices."""
    m, v = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    for t in range(1, iterations + 1):
        for i, g in enumerate(gradient(parameters)):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g * g
            step = rate * (m[i] / (1 - 0.9**t)) / (np.sqrt(v[i] / (1 - 0.999**t)) + 1e-8)
            parameters[i] = parameters[i] - step
    return parameters


def test_equations_11_to_13(model):
    """The products of the weights alone: Eq. (11) of the DAE, Eq. (12) of the MSS-DAE, Eq. (13) of SF."""
    expected = np.eye(model.bins)
    for W, _, _ in model.layers:
        expected = np.einsum("ij,jk->ik", W.numpy(), expected)
    np.testing.assert_allclose(linear_composition(model).matrix, expected, rtol=1e-12)


def test_student_is_algorithm_1_with_equation_16(model):
    """The descent of Eq. (15) along Eq. (16)."""
    mixture = spectra()
    X, Y = mixture.numpy(), model.decode(mixture).numpy()
    start = random_matrix(12, 12, torch.Size(), 0, 0, mixture).numpy()
    (expected,) = adam([start], lambda C: [np.sign(C[0] @ X - Y) @ X.T], 30, 4e-4)
    found = student(model, mixture, iterations=30)
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-9)
    assert found.loss.shape == (30,)
    assert found.loss[0].item() == pytest.approx(np.abs(Y - start @ X).sum(), rel=1e-12)


@pytest.mark.parametrize(("gate", "bias"), READINGS)
def test_one_iteration_composes_equations_17_to_19(model, gate, bias):
    mixture = spectra()
    C = composed(model, [P.numpy() for P in initial(model)], gate, bias)
    expected = np.abs(model.decode(mixture).numpy() - C @ mixture.numpy()).sum()
    found = compositional(model, mixture, iterations=1, gate=gate, bias=bias)
    assert found.loss[0].item() == pytest.approx(expected, rel=1e-10)


def test_gradients_are_equations_20_and_21():
    model, mixture = trained_like("DAE"), spectra()
    (W_enc, b_enc, _), (W_dec, b_dec, _) = ((W.numpy(), b.numpy().ravel(), r) for W, b, r in model.layers)
    P_enc, P_dec = (P.numpy() for P in initial(model))
    G_enc, G_dec = (
        gate_matrix(W_enc, b_enc, P_enc, "printed", "column"),
        gate_matrix(W_dec, b_dec, P_dec, "printed", "column"),
    )
    C = (G_dec * W_dec) @ (G_enc * W_enc)
    delta = np.sign(C @ mixture.numpy() - model.decode(mixture).numpy()) @ mixture.numpy().T  # Eq. (16)
    of_dec = ((delta @ (W_enc * G_enc).T) * W_dec * (G_dec > 0)) @ (W_dec + b_dec)  # Eq. (20)
    of_enc = (((W_dec * G_dec).T @ delta) * W_enc * (G_enc > 0)) @ (W_enc + b_enc)  # Eq. (21)
    by_enc, by_dec = production_gradients(model, mixture, "printed", "column")
    np.testing.assert_allclose(by_dec, of_dec, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(by_enc, of_enc, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("gate", "bias"), READINGS)
def test_gradients_are_those_of_automatic_differentiation(model, gate, bias):
    mixture = spectra()
    Ps = [P.requires_grad_() for P in initial(model)]
    C = torch.eye(model.bins, dtype=torch.float64)
    for (W, b, _), P in zip(model.layers, Ps, strict=True):
        B = W + (b.T if bias == "column" else b)
        C = (torch.relu(P @ B.T if gate == "printed" else B @ P.T) * W) @ C
    (C @ mixture - model.decode(mixture)).abs().sum().backward()
    for gradient, P in zip(production_gradients(model, mixture, gate, bias), Ps, strict=True):
        torch.testing.assert_close(gradient, P.grad, rtol=1e-10, atol=1e-12)


def production_gradients(model, mixture, gate, bias):
    """The gradients of the production path after one forward and backward pass, without their padding."""
    chain = [
        GatedLayer(layer, P, gate, bias, mixture.dtype) for layer, P in zip(layers(model), initial(model), strict=True)
    ]
    backward(chain, (forward(chain, aligned_frames(mixture)) - aligned_frames(model.decode(mixture))).sign())
    return [layer.P.gradient[: model.bins, : model.bins] for layer in chain]


@pytest.mark.parametrize(("gate", "bias"), READINGS)
def test_compositional_is_algorithm_1(model, gate, bias):
    """Thirty iterations by automatic differentiation of the composed matrix and a NumPy Adam."""
    mixture = spectra()
    Y = model.decode(mixture)

    def gradient(Ps):
        variables = [torch.from_numpy(P.copy()).requires_grad_() for P in Ps]
        C = torch.eye(model.bins, dtype=torch.float64)
        for (W, b, _), P in zip(model.layers, variables, strict=True):
            B = W + (b.T if bias == "column" else b)
            C = (torch.relu(P @ B.T if gate == "printed" else B @ P.T) * W) @ C
        return [g.numpy() for g in torch.autograd.grad((C @ mixture - Y).abs().sum(), variables)]

    Ps = adam([P.numpy() for P in initial(model)], gradient, 30, 4e-4)
    found = compositional(model, mixture, iterations=30, gate=gate, bias=bias)
    np.testing.assert_allclose(found.matrix, composed(model, Ps, gate, bias), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("strategy", [student, compositional])
def test_a_batch_equals_the_loop_over_its_segments(model, strategy):
    mixture = spectra(batch=(3,)).float()
    model = model.float()
    batch = strategy(model, mixture, iterations=20, seed=[7, 8, 9])
    for i, seed in enumerate([7, 8, 9]):
        single = strategy(model, mixture[i], iterations=20, seed=seed)
        torch.testing.assert_close(batch.matrix[i], single.matrix, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(batch.loss[i], single.loss, rtol=1e-5, atol=1e-6)


def test_the_student_recovers_a_planted_matrix_from_enough_frames():
    generator = torch.Generator().manual_seed(0)
    planted = torch.rand(6, 6, generator=generator, dtype=torch.float64)
    net = nn.Sequential(nn.Linear(6, 6, bias=False)).double()
    net[0].weight.data = planted
    for seed in (0, 1, 2):
        found = student(net, spectra(6, 60, seed=seed), iterations=6000, learning_rate=1e-3, seed=seed)
        torch.testing.assert_close(found.matrix, planted, rtol=0, atol=0.03)
    torch.testing.assert_close(least_squares(net, spectra(6, 60)).matrix, planted, rtol=1e-5, atol=1e-6)


def test_least_squares_and_ridge_against_the_primal_solution(model):
    mixture = spectra(12, 5)
    X, Y = mixture.numpy(), model.decode(mixture).numpy()
    expected = np.linalg.lstsq(X.T, Y.T, rcond=None)[0].T
    np.testing.assert_allclose(least_squares(model, mixture).matrix, expected, rtol=1e-6, atol=1e-9)
    penalty = 0.01 * np.mean(np.sum(X * X, axis=0))
    primal = np.linalg.solve(X @ X.T + penalty * np.eye(12), X @ Y.T).T
    np.testing.assert_allclose(ridge(model, mixture, strength=0.01).matrix, primal, rtol=1e-8, atol=1e-10)


def test_the_equaliser_is_the_least_squares_gain_of_each_band(model):
    mixture = spectra()
    mixture[3] = 0
    voice = model(mixture)
    found = equaliser(model, mixture)
    assert found.target == "voice"
    for k in (0, 5, 11):
        expected = np.linalg.lstsq(mixture[k, :, None].numpy(), voice[k].numpy(), rcond=None)[0][0]
        assert found.matrix[k, k].item() == pytest.approx(expected)
    assert (found.matrix - found.matrix.diag().diag() == 0).all()
    assert found.matrix[3, 3] == 0


def test_identity_stands_for_the_mixture_itself():
    assert torch.equal(identity(4)(torch.ones(4, 2)), torch.ones(4, 2))
    assert identity(4).target == "voice"


def test_non_square_layers_take_the_one_reading_that_fits():
    net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3), nn.ReLU())
    mixture = torch.rand(5, 6)
    found = compositional(net, mixture, iterations=5, gate="published", bias="row")
    assert found.matrix.shape == (3, 5)
    assert student(net, mixture, iterations=5).matrix.shape == (3, 5)
    with pytest.raises(ParameterError, match="Layer 0 is 8 x 5"):
        compositional(net, mixture, iterations=5)


@pytest.mark.parametrize("strategy", [student, compositional])
def test_bad_input_is_a_named_error(strategy):
    model, mixture = trained_like("DAE"), spectra()
    with pytest.raises(ParameterError, match="12 bins"):
        strategy(model, spectra(bins=11))
    with pytest.raises(ParameterError, match="at least one frame"):
        strategy(model, mixture[:, :0])
    for broken in (float("nan"), float("inf"), -1.0):
        with pytest.raises(DataError, match="negative or not finite"):
            strategy(model, mixture.clone().index_fill_(1, torch.tensor([2]), broken))
    with pytest.raises(ParameterError, match="iterations is 0"):
        strategy(model, mixture, iterations=0)
    for rate in (-1, 0):
        with pytest.raises(ParameterError, match=f"learning_rate is {rate}"):
            strategy(model, mixture, learning_rate=rate)
    with pytest.raises(ParameterError, match="one for each of the 1"):
        strategy(model, mixture, seed=[1, 2])
    for seeds in (-1, 2**55, [0, -1], [2**55, 0]):
        with pytest.raises(ParameterError, match=r"whole number from 0 to 2\^55 - 1"):
            strategy(model, mixture.expand(np.size(seeds), 12, 7), seed=seeds)
    assert strategy(model, mixture, iterations=1, seed=2**55 - 1).matrix.isfinite().all()


def test_unknown_readings_are_named_errors():
    model, mixture = trained_like("DAE"), spectra()
    with pytest.raises(ParameterError, match="gate is 'odd'; choose one of printed, published"):
        compositional(model, mixture, gate="odd")
    with pytest.raises(ParameterError, match="bias is 'odd'"):
        compositional(model, mixture, bias="odd")
    with pytest.raises(ParameterError, match="initial is 'odd'"):
        student(model, mixture, initial="odd")


def test_one_bin_one_frame_and_silence():
    tiny = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    assert compositional(tiny, torch.ones(1, 1), iterations=3).matrix.shape == (1, 1)
    silent = torch.zeros(12, 4, dtype=torch.float64)
    found = student(trained_like("DAE"), silent, iterations=3)
    start = random_matrix(12, 12, torch.Size(), 0, 0, silent)
    torch.testing.assert_close(found.matrix, start)  # no frame, no gradient
    exact = mean_mapping(tiny, torch.ones(1, 1))
    opened = (tiny[0].weight + tiny[0].bias > 0).float()
    torch.testing.assert_close(exact.matrix, (opened * tiny[0].weight).detach())


@pytest.mark.parametrize("strategy", [student, compositional])
def test_whoever_watches_hears_of_each_iteration(strategy):
    heard = []
    found = strategy(
        trained_like("DAE"),
        spectra(batch=(2,)),
        iterations=4,
        progress=lambda number, loss: heard.append((number, loss)),
    )
    assert [number for number, _ in heard] == [1, 2, 3, 4]
    torch.testing.assert_close(torch.stack([loss for _, loss in heard], -1), found.loss)


@pytest.mark.parametrize("progress", [True, False])
def test_a_bar_is_shown_where_it_is_asked_for_alone(progress, capsys):
    student(trained_like("DAE"), spectra(), iterations=2, progress=progress)
    assert ("2/2" in capsys.readouterr().err) == progress


@pytest.mark.parametrize("strategy", [student, compositional])
def test_the_papers_settings_are_the_defaults(strategy, capsys):
    """600 iterations of Adam at 4e-4 (Sec. 4.2), written out and left out."""
    model, mixture = trained_like("DAE", 5), spectra(5, 3)
    found, written = strategy(model, mixture), strategy(model, mixture, iterations=600, learning_rate=4e-4)
    assert found.loss.shape == (600,)
    assert found.strategy == strategy.__name__
    assert not capsys.readouterr().err  # no bar
    descends = {student: StudentDescent, compositional: CompositionalDescent}[strategy](model, mixture, descent.adam())
    assert torch.equal(descends.run(2), found.loss[:2])
    assert not capsys.readouterr().err
    assert torch.equal(found.matrix, written.matrix)
    assert not torch.equal(found.matrix, strategy(model, mixture, learning_rate=1e-4).matrix)
    assert descent.adam()([torch.ones(1)]).defaults["lr"] == 4e-4


def test_random_matrices_are_scaled_by_their_columns_and_are_never_anothers():
    like = torch.zeros((), dtype=torch.float64)
    of_seed_and_stream = torch.randn(4, 16, generator=torch.Generator().manual_seed(5 * 256 + 3)).double() / 4
    assert torch.equal(random_matrix(4, 16, torch.Size(), 5, 3, like), of_seed_and_stream)  # those of every record
    wide = random_matrix(300, 1200, torch.Size(), 0, 0, like)
    assert wide.std().item() == pytest.approx(1200**-0.5, rel=0.02)
    drawn = {
        (seed, stream): random_matrix(4, 4, torch.Size(), seed, stream, like)
        for seed in (0, 1, 2)
        for stream in (0, 1, 2)
    }
    distinct = {tuple(matrix.flatten().tolist()) for matrix in drawn.values()}
    assert len(distinct) == len(drawn)


def test_a_gate_at_exactly_zero_is_closed():
    chain = [Layer(torch.eye(2), torch.tensor([[0.0], [-1.0]]), True)]
    (opened,) = gates(chain, torch.tensor([[0.0, 1.0], [1.0, 3.0]]))
    assert opened.tolist() == [[0, 1], [0, 1]]
