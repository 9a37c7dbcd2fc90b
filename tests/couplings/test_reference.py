"""Algorithm 1 as the paper prints it beside the fast path: networks, depths, gates and biases, in float64."""

import ast
import inspect

import pytest
import torch
from samples import spectra, trained_like
from torch import nn

from nca.couplings import compositional, reference, student
from nca.couplings.reference import neural_couplings


def networks() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "one layer": nn.Sequential(nn.Linear(12, 12), nn.ReLU()).double(),
        "no last ReLU": nn.Sequential(nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 12, bias=False)).double(),
        "not square": nn.Sequential(nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 8), nn.ReLU()).double(),
    } | {name: trained_like(name) for name in ("DAE", "MSS-DAE", "SF")}


NETWORKS = networks()
READINGS = [
    (name, gate, bias)
    for name in NETWORKS
    for gate in ("printed", "published")
    for bias in ("column", "row")
    if name != "not square" or (gate, bias) == ("published", "row")
]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_student_is_algorithm_1(name):
    compare(name, "student", student)


@pytest.mark.parametrize(("name", "gate", "bias"), READINGS)
def test_the_compositional_strategy_is_algorithm_1(name, gate, bias):
    compare(name, "compositional", compositional, gate=gate, bias=bias)


def compare(name, strategy, fast, **readings):
    network, mixture = NETWORKS[name], spectra()
    steps = list(neural_couplings(network, mixture, strategy, 30, seed=7, **readings))
    found = fast(network, mixture, iterations=30, seed=7, **readings)
    torch.testing.assert_close(found.matrix, steps[-1][0], rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(found.loss, torch.stack([E for _, E in steps]), rtol=1e-9, atol=1e-12)


def test_it_can_be_read_at_a_glance():
    source = inspect.getsource(reference)
    prose = {
        number
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for number in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    code = [line for number, line in enumerate(source.splitlines(), 1) if line and number not in prose]
    assert len(code) <= 40
