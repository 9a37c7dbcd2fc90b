"""A singer as a physical source and filter: who sings, and how control tracks become sound.

The source is a band-limited pulse train shaped by the causal-anticausal form (Doval, d'Alessandro and Henrich, 2003)
of the Liljencrants-Fant glottal flow (Fant, Liljencrants and Lin, 1985): an anticausal glottal formant and a causal
spectral tilt. The filter is a cascade of formants with a nasal pole and zero, and noise beside it, in the manner of
Klatt's synthesiser (1980). The singer's formant is Sundberg's (1974). Ranges of singers are chosen by ear.
"""

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from nca.data.demo.phonemes import BANDWIDTHS, COLOURS
from nca.data.demo.signals import HOP, RATE, TICK, bin_frequencies, filter_frames, pulses, stretch

TICK_RATE = RATE / TICK  # points of a control track in a second
FORMANTS = len(BANDWIDTHS)


def between(low: float, high: float) -> Any:
    """A field of `Singer` that is drawn between two numbers."""
    return field(metadata={"range": (low, high)})


@dataclass(frozen=True)
class Singer:
    """The physical parameters of one voice, with the range that each is drawn from; the first four go by kind."""

    name: str
    formant_scale: float  # 17.5 cm over the length of the tract
    low: int  # lowest comfortable MIDI pitch
    high: int  # highest
    open_quotient: float = between(0.45, 0.75)
    asymmetry: float = between(0.7, 1.3)  # damping of the glottal formant
    tilt: float = between(1800.0, 6500.0)  # Hz, the corner of the glottal spectrum's tilt at medium effort
    breath: float = between(0.015, 0.09)  # aspiration beside the voice, linear
    jitter: float = between(0.002, 0.007)  # relative deviation of the period
    shimmer: float = between(0.02, 0.08)  # relative deviation of the amplitude
    vibrato_rate: float = between(4.8, 6.4)  # Hz
    vibrato_depth: float = between(15.0, 75.0)  # cents
    vibrato_delay: float = between(0.15, 0.5)  # seconds after a note's onset
    glide: float = between(0.05, 0.12)  # seconds from one note to the next
    scoop: float = between(0.0, 2.0)  # semitones below the first note of a phrase
    sibilance: float = between(0.6, 1.2)  # gain of fricatives
    ringing: float = between(0.0, 0.6)  # 0 to 1, how far F3 to F5 cluster (the singer's formant)


# formant scale, lowest pitch: ranges of the four kinds of voice, dealt in turn so that every kind sings
KINDS = [((0.96, 1.03), (43, 47)), ((1.15, 1.25), (57, 60)), ((1.03, 1.09), (47, 51)), ((1.09, 1.16), (52, 56))]


def draw_singer(rng: np.random.Generator, kind: int, name: str) -> Singer:
    """A singer of one of the four kinds (low to high voice), its parameters drawn from their ranges."""
    scales, (lowest, highest) = KINDS[kind % len(KINDS)]
    low = int(rng.integers(lowest, highest + 1))
    scale, high = float(rng.uniform(*scales)), low + int(rng.integers(14, 19))
    ranges = {each.name: each.metadata["range"] for each in fields(Singer) if each.metadata}
    return Singer(name, scale, low, high, **{key: float(rng.uniform(*limits)) for key, limits in ranges.items()})


@dataclass
class Controls:
    """What the singer does, one point a TICK: the interface between articulation and sound.

    frequency in Hz (ticks,); voicing, aspiration, frication and effort linear (ticks,); formants in Hz
    (ticks, FORMANTS); nasal 0 to 1 (ticks,) with its zero in Hz; colour an index into COLOURS.
    """

    frequency: np.ndarray
    voicing: np.ndarray
    aspiration: np.ndarray
    frication: np.ndarray
    effort: np.ndarray
    formants: np.ndarray
    nasal: np.ndarray
    zero: np.ndarray
    colour: np.ndarray


def resonance(frequency: np.ndarray, centre: np.ndarray | float, width: np.ndarray | float) -> np.ndarray:
    """Response of one formant of unit gain at 0 Hz; centre and width in Hz broadcast against frequency."""
    square = centre * centre + 0.25 * width * width
    return square / (square - frequency * frequency + 1j * frequency * width)


def upper_tract(singer: Singer) -> np.ndarray:
    """The formants above F5, one every kilohertz and the same for every vowel: (BINS,)."""
    frequency = bin_frequencies()
    response = np.ones(len(frequency), dtype=np.complex64)
    for number in range(6, 18):
        centre = singer.formant_scale * (1000.0 * number - 500.0)
        response *= resonance(frequency, centre, 60.0 + 0.055 * centre)
    return response


def noise_colours(singer: Singer) -> np.ndarray:
    """Magnitude of each noise colour, (colours, BINS), its peaks moved a little with the singer's tract."""
    frequency = bin_frequencies() / singer.formant_scale**0.5
    table = []
    for peaks, floor in COLOURS.values():
        shape = sum(gain / (1.0 + ((frequency - centre) / width) ** 2) for centre, width, gain in peaks)
        table.append(shape / (1.0 + (floor / (frequency + 1.0)) ** 4))
    return np.array(table)


def glottis(singer: Singer, pitch: np.ndarray, effort: np.ndarray) -> np.ndarray:
    """Spectrum of one glottal flow derivative, (frames, BINS); pitch in Hz and effort (about 1) are (frames, 1)."""
    frequency = bin_frequencies()
    ratio = frequency / (pitch / (2.0 * singer.open_quotient))
    opening = 1j * ratio / (1.0 - ratio * ratio - 1j * singer.asymmetry * ratio)  # anticausal: rising flow
    corner = singer.tilt * np.clip(effort, 0.2, 2.5) ** 1.5
    return opening / (1.0 + 1j * frequency / corner)


def tract(singer: Singer, formants: np.ndarray, nasal: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """Response of the tract below F6, (frames, BINS); formants (frames, FORMANTS), nasal and zero (frames, 1)."""
    frequency = bin_frequencies()
    response = np.ones((len(formants), len(frequency)), dtype=np.complex64)
    for index, width in enumerate(BANDWIDTHS):
        wider = width * singer.formant_scale * (1.0 + (1.5 if index else 0.6) * nasal)
        response *= resonance(frequency, formants[:, index : index + 1], wider)
    through_nose = nasal[:, 0] > 0.01
    if through_nose.any():
        share, notch = nasal[through_nose], zero[through_nose]
        pole = resonance(frequency, notch * (1.0 - 0.2 * share), 120.0)
        response[through_nose] *= pole / resonance(frequency, notch, 120.0)
    return response


def sing(singer: Singer, controls: Controls, samples: int, rng: np.random.Generator) -> np.ndarray:
    """The dry voice, (samples,), that the controls describe."""
    train, phase = pulses(stretch(controls.frequency, samples))
    modulated = stretch(controls.aspiration, samples) * (0.55 + 0.45 * np.cos(phase - 0.6))
    sources = [
        train * stretch(controls.voicing, samples),
        rng.standard_normal(samples) * modulated,
        rng.standard_normal(samples) * stretch(controls.frication, samples) * singer.sibilance,
    ]
    above, colours = upper_tract(singer), noise_colours(singer)
    tilted = bin_frequencies() / (bin_frequencies() + 700.0)  # aspiration has little below F2

    def respond(frames: slice) -> list[np.ndarray]:
        at = np.minimum(np.arange(frames.start, frames.stop) * (HOP // TICK), len(controls.frequency) - 1)
        columns = (controls.nasal, controls.zero, controls.frequency, controls.effort)
        nasal, zero, pitch, effort = (column[at, None].astype(np.float32) for column in columns)
        shape = tract(singer, controls.formants[at].astype(np.float32), nasal, zero) * above
        return [shape * glottis(singer, pitch, effort), shape * tilted, colours[controls.colour[at]]]

    return filter_frames(sources, respond, samples)
