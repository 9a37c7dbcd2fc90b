"""What the instruments play: parts written over a song's chords, as notes.

Each function returns a writer, which is given the score and a generator. `low` is the range of MIDI pitches, the
last excluded, from which the part's lowest is drawn, and `tones` how many chord tones it takes upwards from there.
"""

import itertools
from collections.abc import Callable

import numpy as np

from nca.data.demo.score import Chord, Note, Score

Writer = Callable[[Score, np.random.Generator], list[Note]]
Range = tuple[float, float]


def struck(low: tuple[int, int], tones: int, spread: float | Range, *patterns: str) -> Writer:
    """Chords struck where one of the patterns says, their tones `spread` seconds apart; 'u' is an upstroke."""

    def write(score: Score, rng: np.random.Generator) -> list[Note]:
        pattern, lowest = str(rng.choice(patterns)), int(rng.integers(*low))
        apart = drawn(spread, rng)
        notes = []
        for chord in score.chords:
            pitches = voicing(chord, lowest, tones)
            for slot, mark, length in score.strokes(pattern):
                loud = loudness(0.9 if mark == "X" else 0.65, chord, rng)
                for order, pitch in enumerate(pitches if mark != "u" else pitches[::-1][:3]):
                    start = score.swung(chord, slot) + order * apart
                    notes.append(Note(start, length * score.sixteenth, pitch, loud))
        return notes

    return write


def broken(low: tuple[int, int], tones: int, every: int, hold: float | None = None) -> Writer:
    """Chords picked apart, one tone each `every` sixteenths, held for `hold` of them or the rest of the bar."""

    def write(score: Score, rng: np.random.Generator) -> list[Note]:
        lowest, step = int(rng.integers(*low)), score.sixteenth
        order = rng.permutation(tones)
        notes = []
        for chord in score.chords:
            pitches = voicing(chord, lowest, tones)
            for count, slot in enumerate(range(0, score.slots, every)):
                length = hold * step if hold else min(chord.length - slot * step, 6 * every * step)
                loud = loudness(0.75 if slot % 4 == 0 else 0.55, chord, rng)
                pitch = pitches[order[count % tones]] if slot else pitches[0]
                notes.append(Note(chord.start + slot * step, length, pitch, loud))
        return notes

    return write


def sustained(low: tuple[int, int], tones: int) -> Writer:
    """Complete bars of harmony, softer in the verses."""

    def write(score: Score, rng: np.random.Generator) -> list[Note]:
        lowest = int(rng.integers(*low))
        return [
            Note(chord.start, chord.length, pitch, 0.4 + 0.5 * chord.energy)
            for chord in score.chords
            for pitch in voicing(chord, lowest, tones)
        ]

    return write


def counter(low: tuple[int, int]) -> Writer:
    """A slow second melody of chord tones, two or three a bar, that may cross the voice."""

    def write(score: Score, rng: np.random.Generator) -> list[Note]:
        lowest, end, notes = int(rng.integers(*low)), score.slots, []
        last = lowest + 7
        for chord in score.chords:
            cuts = [*sorted({0, *rng.choice(np.arange(2, end, 2), 2).tolist()}), end]
            for first, stop in itertools.pairwise(cuts):
                near = range(max(lowest, last - 7), min(lowest + 20, last + 8))
                last = int(rng.choice([pitch for pitch in near if pitch % 12 in chord.tones] or [last]))
                if rng.random() < 0.85:
                    start, length = chord.start + first * score.sixteenth, (stop - first) * score.sixteenth * 0.95
                    notes.append(Note(start, length, float(last), 0.5 + 0.4 * chord.energy))
        return notes

    return write


def together(*writers: Writer) -> Writer:
    """Several parts on one instrument."""
    return lambda score, rng: [note for write in writers for note in write(score, rng)]


def bass_line(score: Score, rng: np.random.Generator) -> list[Note]:
    """One of the style's bass patterns over the chords, between E1 and about D sharp 2, an octave above on 'o'."""
    pattern, notes = str(rng.choice(score.manner.bass)), []
    for chord in score.chords:
        root = 28 + (chord.tones[0] - 4) % 12
        third = next((step for tone in chord.tones if (step := (tone - root) % 12) in (3, 4)), 0)
        pitches = {"r": root, "f": root + 7, "o": root + 12, "t": root + third}
        for slot, mark, held in score.strokes(pattern):
            if mark != "r" and rng.random() < 0.2:
                continue
            length = held * score.sixteenth * rng.uniform(0.75, 0.97)
            velocity = 0.6 + 0.25 * chord.energy + rng.uniform(-0.08, 0.08)
            notes.append(Note(chord.start + slot * score.sixteenth, length, float(pitches[mark]), velocity))
    return notes


def voicing(chord: Chord, low: int, count: int) -> list[float]:
    """`count` chord tones upwards from MIDI pitch `low`."""
    return [float(pitch) for pitch in range(low, low + 48) if pitch % 12 in chord.tones][:count]


def loudness(accent: float, chord: Chord, rng: np.random.Generator) -> float:
    """A note's velocity: its accent by the bar's energy, never twice the same."""
    return accent * (0.5 + 0.5 * chord.energy) * rng.uniform(0.85, 1.1)


def drawn(value: float | Range, rng: np.random.Generator) -> float:
    """The number itself, or one from its range."""
    return rng.uniform(*value) if isinstance(value, tuple) else value
