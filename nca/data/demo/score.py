"""A song as notes: key, chords, sections and a sung melody that fit each other."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from nca.data.demo.styles import SCALES, STYLES, Style, chord_tones

KEYS = ("C", "D flat", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")


@dataclass(frozen=True)
class Note:
    """One note: start and length in seconds, MIDI pitch, velocity 0 to 1."""

    start: float
    length: float
    pitch: float
    velocity: float


@dataclass(frozen=True)
class Chord:
    """One bar's harmony.

    Attributes:
        start: in seconds.
        length: in seconds.
        tones: pitch classes 0 to 11, the root first.
        energy: how full the bar sounds, 0 (silent) to 1 (full chorus).
    """

    start: float
    length: float
    tones: tuple[int, ...]
    energy: float


@dataclass(frozen=True)
class Score:
    """A complete song on paper: one chord a bar, and the sung melody."""

    style: str
    tempo: float
    beats: int
    tonic: int
    mode: str
    seconds: float
    chords: list[Chord]
    melody: list[Note]

    @property
    def key(self) -> str:
        """The key's name, such as 'E flat dorian'."""
        return f"{KEYS[self.tonic]} {self.mode}"

    @property
    def manner(self) -> Style:
        """The style's table."""
        return STYLES[self.style]

    @property
    def scale(self) -> tuple[int, ...]:
        """The mode's degrees in semitones above the tonic."""
        return SCALES[self.mode]

    @property
    def slots(self) -> int:
        """Sixteenths in a bar."""
        return 4 * self.beats

    @property
    def sixteenth(self) -> float:
        """Seconds of a sixteenth."""
        return 15.0 / self.tempo

    def swung(self, chord: Chord, slot: int) -> float:
        """When a sixteenth of a bar sounds, in seconds; every second one comes late in a style that swings."""
        return chord.start + (slot + self.manner.swing * (slot % 2)) * self.sixteenth

    def strokes(self, pattern: str) -> Iterator[tuple[int, str, int]]:
        """Slot, mark and length in sixteenths of what a bar plays; '.' rests, '-' holds the mark before it."""
        for found in re.finditer(r"([^.-])-*", pattern[: self.slots]):
            yield found.start(), found[1], len(found[0])


def compose(rng: np.random.Generator, style: str, seconds: float, low: int, high: int) -> Score:
    """A song of a style for a voice that is comfortable from MIDI pitch `low` to `high`."""
    manner = STYLES[style]
    tempo = float(np.round(rng.uniform(*manner.tempi), 1))
    beats = int(rng.choice(manner.beats))
    mode, symbols = manner.harmony[int(rng.integers(len(manner.harmony)))]
    tonic = int(rng.integers(12))
    progression = [tuple((tonic + tone) % 12 for tone in chord_tones(symbol)) for symbol in symbols.split()]
    turn, bar = int(rng.integers(len(progression))), beats * 60.0 / tempo
    chords = [
        Chord(index * bar, bar, progression[(index + turn) % len(progression)], energy)
        for index, energy in enumerate(sections(rng, int(np.ceil(seconds / bar))))
    ]
    score = Score(style, tempo, beats, tonic, mode, seconds, chords, melody=[])
    places = np.array([pitch for pitch in range(low, high + 1) if (pitch - tonic) % 12 in score.scale])
    return replace(score, melody=[note for note in write_melody(score, places, rng) if note.start + 0.12 < seconds])


def sections(rng: np.random.Generator, bars: int) -> list[float]:
    """Energy of each bar: verses and choruses of four bars, now and then a thin or an instrumental bar first."""
    chorus = bool(rng.integers(2))
    energy = []
    for index in range(bars):
        if index % 4 == 0 and index:
            chorus = not chorus if rng.random() < 0.75 else chorus
        energy.append(float((0.95 if chorus else 0.62) + rng.uniform(-0.05, 0.05)))
    if bars > 5 and rng.random() < 0.4:
        energy[0] = 0.35
    return energy


def draw_rhythm(score: Score, bars: int, rng: np.random.Generator) -> list[int]:
    """Onsets of one phrase in sixteenths; the last beats of it are left to breathe."""
    stop = score.slots * bars - int(rng.integers(4, 9))
    full, half, rest = score.manner.density + 0.15, score.manner.density * 0.8, score.manner.sixteenths
    odds = (full, rest, half, rest)  # of a note on each sixteenth of a beat
    onsets = [place for place in range(int(rng.integers(0, 4)) * 2, stop) if rng.random() < odds[place % 4]]
    return onsets or [0]


def write_melody(score: Score, places: np.ndarray, rng: np.random.Generator) -> list[Note]:
    """Phrases of two bars (one in slow songs) over the chords, their rhythms taken up again as motifs.

    Args:
        score: the song without its melody.
        places: pitches of the scale that the voice reaches.
        rng: what the melody is drawn from.
    """
    bars = 1 if score.tempo < 72 else 2
    motifs = [draw_rhythm(score, bars, rng) for _ in range(2)]
    notes: list[Note] = []
    place = len(places) // 2
    for phrase, first in enumerate(range(0, len(score.chords), bars)):
        energy = score.chords[first].energy
        if energy < 0.4 or (phrase > 1 and rng.random() < 0.06):
            continue
        rhythm = motifs[phrase % 2] if rng.random() < 0.7 else draw_rhythm(score, bars, rng)
        for index, onset in enumerate(rhythm):
            if index + 1 < len(rhythm):
                end = rhythm[index + 1]
            else:
                end = min(score.slots * bars - 2, onset + int(rng.integers(4, 10)))
            chord = score.chords[min(first + onset // score.slots, len(score.chords) - 1)]
            strong = onset % 8 == 0 or end - onset >= 4
            place = next_place(rng, places, place, 0.62 if energy > 0.8 else 0.45, chord.tones if strong else None)
            start = (first * score.slots + onset) * score.sixteenth
            velocity = 0.62 + 0.25 * energy + 0.1 * (onset % 4 == 0) + rng.uniform(-0.07, 0.07)
            notes.append(Note(start, (end - onset) * score.sixteenth, float(places[place]), float(velocity)))
    return notes


def next_place(
    rng: np.random.Generator, places: np.ndarray, place: int, lift: float, tones: tuple[int, ...] | None
) -> int:
    """The next scale step: a small step, drawn towards the middle; on strong places the nearest chord tone."""
    step = int(rng.choice([-4, -3, -2, -1, 0, 1, 2, 3, 4], p=[0.02, 0.05, 0.14, 0.24, 0.14, 0.22, 0.12, 0.05, 0.02]))
    middle = lift * (len(places) - 1)
    if rng.random() < abs(place - middle) / len(places):
        step = int(np.sign(middle - place)) * max(1, abs(step))
    place = int(np.clip(place + step, 0, len(places) - 1))
    if tones is None:
        return place
    distance = [abs(index - place) if pitch % 12 in tones else 99 for index, pitch in enumerate(places)]
    return int(np.argmin(distance))
