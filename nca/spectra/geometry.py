"""The geometry of the short-time Fourier transform (Sec. 4.1), and the transform itself."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from scipy.signal import resample_poly
from torch import Tensor
from torch.nn.functional import pad

from nca.errors import DataError, ParameterError
from nca.support.kinds import check_kinds


@dataclass(frozen=True)
class Geometry:
    """A windowed, zero-padded STFT (Sec. 4.1).

    Attributes:
        rate: sampling rate in Hz.
        fft: length of the zero-padded transform in samples, the paper's N'.
        window: length of the window in samples.
        hop: distance of two frames in samples.
        taper: the window's shape, Hamming's or Hann's, periodic.
        kept: how many bins from 0 Hz up are kept, where a network is not given all; the others are silent in
            :meth:`istft`.
    """

    rate: int
    fft: int
    window: int
    hop: int
    taper: Literal["hamming", "hann"] = "hamming"
    kept: int | None = None

    @classmethod
    def read(cls, content: Mapping[str, Any], where: Path) -> "Geometry":
        """The geometry that a file says; raises `DataError` where that is none."""
        check_kinds(content, dict.fromkeys(("rate", "fft", "window", "hop"), "int"), f"the geometry in {where}")
        try:
            return cls(**content)
        except TypeError as error:
            raise DataError(f"The geometry in {where} cannot be read ({error}); make it again.") from error

    @property
    def bins(self) -> int:
        """N: frequency sub-bands kept of the transform, from 0 Hz to half the rate or less."""
        return min(self.kept or self.fft, self.fft // 2 + 1)

    @property
    def bandwidth(self) -> float:
        """Distance of two bins in Hz."""
        return self.rate / self.fft

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.rate / self.hop

    def scaled(self, rate: int) -> "Geometry":
        """The same bin width and frame rate at another sampling rate, to the nearest even number of samples."""
        factor = rate / self.rate
        fft, window = (2 * round(length * factor / 2) for length in (self.fft, self.window))
        return replace(self, rate=rate, fft=fft, window=window, hop=round(self.hop * factor))

    def resample(self, samples: np.ndarray, rate: int) -> Tensor:
        """Samples `(..., samples)` at `rate` Hz as a float32 tensor at this geometry's rate (polyphase filter)."""
        common = math.gcd(self.rate, rate)
        if rate != self.rate:
            samples = resample_poly(samples, self.rate // common, rate // common, axis=-1)
        return torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))

    def stft(self, samples: Tensor) -> Tensor:
        """Spectra `(..., bins, frames)`, complex, of samples `(..., samples)`; frame t is centred on sample t * hop.

        Raises:
            DataError: for samples that are not finite.
        """
        if not torch.isfinite(samples).all():
            raise DataError("The signal holds samples that are not finite; repair or leave out the recording.")
        window = self._window(samples)
        flat = samples.reshape(-1, samples.shape[-1])
        spectra = torch.stft(flat, self.fft, self.hop, self.window, window, pad_mode="constant", return_complex=True)
        return spectra.reshape(*samples.shape[:-1], *spectra.shape[-2:])[..., : self.bins, :]

    def istft(self, spectra: Tensor, samples: int) -> Tensor:
        """Samples `(..., samples)` of spectra `(..., bins, frames)` by weighted overlap-add; inverts :meth:`stft`."""
        window = self._window(spectra.real)
        flat = pad(spectra.reshape(-1, *spectra.shape[-2:]), (0, 0, 0, self.fft // 2 + 1 - self.bins))
        signal = torch.istft(flat, self.fft, self.hop, self.window, window, length=samples)
        return signal.reshape(*spectra.shape[:-2], samples)

    def _window(self, like: Tensor) -> Tensor:
        shape = torch.hann_window if self.taper == "hann" else torch.hamming_window
        return shape(self.window, dtype=like.dtype, device=like.device)


PROFILES = {
    "paper": Geometry(rate=44100, fft=4096, window=2048, hop=384),
    "demo": Geometry(rate=11025, fft=1024, window=512, hop=96),
    "mir-1k": Geometry(rate=16000, fft=1486, window=744, hop=139),
}


def profile(name: str) -> Geometry:
    """The geometry called `name`.

    `paper` is Sec. 4.1 to the letter, `demo` a quarter of each of its numbers, and `mir-1k` the paper's bin width and
    frame rate at that data set's 16 kHz.

    Raises:
        ParameterError: for any other name.
    """
    if name not in PROFILES:
        raise ParameterError(f"There is no profile {name!r}; choose one of {', '.join(PROFILES)}.")
    return PROFILES[name]
