"""Sound small enough to travel inside a page."""

import io

import numpy as np
import soundfile
from numpy.typing import ArrayLike

from nca.errors import ParameterError


def encode(samples: ArrayLike, rate: int) -> bytes:
    """The waveform `(samples,)` at `rate` Hz as a mono MP3, about 5 kB a second; louder than full scale is turned down.

    Raises:
        ParameterError: where the waveform is not one channel of finite numbers, or MP3 has no such rate.
    """
    wave = np.asarray(samples, dtype=np.float64)
    if wave.ndim != 1 or not wave.size or not np.isfinite(wave).all():
        raise ParameterError(f"Sound must be one channel of finite samples, not an array of shape {wave.shape}.")
    wave = wave / max(1.0, np.abs(wave).max())
    target = io.BytesIO()
    try:
        soundfile.write(target, wave, rate, format="MP3", subtype="MPEG_LAYER_III")
    except soundfile.LibsndfileError as error:
        raise ParameterError(f"MP3 has no rate of {rate} Hz: resample, to 11025 or 44100 Hz, say.") from error
    return target.getvalue()
