"""A song as notes: key, chords, sections and a sung melody that fit each other."""

from dataclasses import dataclass

import numpy as np

from nca.corpus.styles import STYLES, Style

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
    """One bar's harmony: start and length in seconds, root pitch class 0 to 11, tones as pitch classes."""

    start: float
    length: float
    root: int
    tones: tuple[int, ...]


@dataclass(frozen=True)
class Score:
    """A whole song on paper; `energy` is one value a bar, 0 (silent) to 1 (full chorus)."""

    style: str
    tempo: float
    beats: int
    tonic: int
    mode: str
    scale: tuple[int, ...]
    seconds: float
    chords: list[Chord]
    energy: list[float]
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
    def sixteenth(self) -> float:
        """Seconds of a sixteenth."""
        return 15.0 / self.tempo


def compose(rng: np.random.Generator, style: str, seconds: float, low: int, high: int) -> Score:
    """A song of a style for a voice that is comfortable from MIDI pitch `low` to `high`."""
    manner = STYLES[style]
    tempo = float(np.round(rng.uniform(*manner.tempi), 1))
    beats = int(rng.choice(manner.beats))
    mode, scale, progression = manner.harmony[int(rng.integers(len(manner.harmony)))]
    tonic = int(rng.integers(12))
    bar = beats * 60.0 / tempo
    bars = int(np.ceil(seconds / bar))
    turn = int(rng.integers(len(progression)))
    chords = []
    for index in range(bars):
        degree, quality = progression[(index + turn) % len(progression)]
        root = (tonic + degree) % 12
        chords.append(Chord(index * bar, bar, root, tuple((root + step) % 12 for step in quality)))
    energy = sections(rng, bars)
    places = np.unique([pitch for pitch in range(low, high + 1) if (pitch - tonic) % 12 in scale])
    melody = write_melody(rng, manner, chords, energy, places, tempo, beats)
    kept = [note for note in melody if note.start + 0.12 < seconds]
    return Score(style, tempo, beats, tonic, mode, scale, seconds, chords, energy, kept)


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


def draw_rhythm(rng: np.random.Generator, manner: Style, beats: int, bars: int) -> list[int]:
    """Onsets of one phrase in sixteenths; the last beats of it are left to breathe."""
    total = 4 * beats * bars
    rest = int(rng.integers(4, 9))
    onsets = []
    for place in range(int(rng.integers(0, 4)) * 2, total - rest):
        if place % 4 == 0:
            odds = manner.density + 0.15
        elif place % 2 == 0:
            odds = manner.density * 0.8
        else:
            odds = manner.sixteenths
        if rng.random() < odds:
            onsets.append(place)
    return onsets or [0]


def write_melody(
    rng: np.random.Generator,
    manner: Style,
    chords: list[Chord],
    energy: list[float],
    places: np.ndarray,
    tempo: float,
    beats: int,
) -> list[Note]:
    """Phrases of two bars (one in slow songs) over the chords, their rhythms taken up again as motifs."""
    sixteenth = 15.0 / tempo
    bars = 1 if tempo < 72 else 2
    span = 4 * beats * bars
    motifs = [draw_rhythm(rng, manner, beats, bars) for _ in range(2)]
    notes: list[Note] = []
    place = len(places) // 2
    for phrase, first in enumerate(range(0, len(chords), bars)):
        if energy[first] < 0.4 or (phrase > 1 and rng.random() < 0.06):
            continue
        rhythm = motifs[phrase % 2] if rng.random() < 0.7 else draw_rhythm(rng, manner, beats, bars)
        lift = 0.62 if energy[first] > 0.8 else 0.45
        for index, onset in enumerate(rhythm):
            end = rhythm[index + 1] if index + 1 < len(rhythm) else min(span - 2, onset + int(rng.integers(4, 10)))
            chord = chords[min(first + onset // (4 * beats), len(chords) - 1)]
            strong = onset % 8 == 0 or end - onset >= 4
            place = next_place(rng, places, place, lift, chord.tones if strong else None)
            start = (first * 4 * beats + onset) * sixteenth
            velocity = 0.62 + 0.25 * energy[first] + 0.1 * (onset % 4 == 0) + rng.uniform(-0.07, 0.07)
            notes.append(Note(start, (end - onset) * sixteenth, float(places[place]), float(velocity)))
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
