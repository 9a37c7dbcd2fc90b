"""How notes become a track: tones placed in time, damped at their ends, never twice quite the same."""

from collections.abc import Callable

import numpy as np

from nca.data.demo.score import Note
from nca.data.demo.signals import RATE, rms

Tone = Callable[[float, float], np.ndarray]  # (pitch, seconds) -> (samples,)


def place(track: np.ndarray, sound: np.ndarray, start: float) -> None:
    """Add a sound to the track at `start` seconds, cut at either end."""
    first = round(start * RATE)
    skip = max(0, -first)
    stop = min(first + len(sound), len(track))
    if stop > first + skip:
        track[first + skip : stop] += sound[skip : stop - first]


def play(
    notes: list[Note], tone: Tone, samples: int, rng: np.random.Generator, release: float, timing: float = 0.008
) -> np.ndarray:
    """The notes on a struck or plucked instrument, (samples,).

    A tone is made once a pitch, at the longest length asked of it; each note fades over `release` seconds after its
    end and comes early or late by a deviation of `timing` seconds.
    """
    track = np.zeros(samples)
    longest: dict[float, float] = {}
    for note in notes:
        longest[note.pitch] = max(longest.get(note.pitch, 0.0), note.length)
    tones = {pitch: tone(pitch, length + release) for pitch, length in longest.items()}
    for note in notes:
        count = int((note.length + release) * RATE)
        sound = tones[note.pitch][:count] * note.velocity**1.5
        fade = min(int(release * RATE), len(sound))
        if fade:
            sound[-fade:] *= np.linspace(1.0, 0.0, fade) ** 2
        place(track, sound, note.start + rng.normal(0.0, timing))
    return track


def saturate(signal: np.ndarray, drive: float) -> np.ndarray:
    """Soft clipping: tanh of the signal, raised by `drive` over its own loudness."""
    level = rms(signal) + 1e-9
    return np.tanh((signal * (drive / level)).astype(np.float32)) * (level / drive)
