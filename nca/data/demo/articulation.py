"""From notes and syllables to the singer's control tracks: pitch, formants, and the strengths of the sources.

Formants glide between a consonant's loci and a vowel's targets (Delattre, Liberman and Cooper, 1955), and the first
follows a high pitch upwards, as sopranos' do (Sundberg, 1975). Timing, bends and tremor are chosen by ear.
"""

import numpy as np
from scipy.ndimage import convolve1d

from nca.data.demo.phonemes import COLOURS, CONSONANTS, VOWELS, Consonant, Syllable
from nca.data.demo.score import Note
from nca.data.demo.signals import hertz, tick_count
from nca.data.demo.voice import FORMANTS, TICK_RATE, Controls, Singer

COLOUR_INDEX = {name: index for index, name in enumerate(COLOURS)}
BREATH_GAP = 0.30  # seconds of rest that make room for an intake


def smooth(track: np.ndarray, seconds: float) -> np.ndarray:
    """A Hann-weighted moving average along the first axis, so that targets become movements."""
    points = max(3, int(seconds * TICK_RATE) | 1)
    kernel = np.hanning(points + 2)[1:-1]
    return convolve1d(track, kernel / kernel.sum(), axis=0, mode="nearest")


def slow_noise(rng: np.random.Generator, points: int, seconds: float) -> np.ndarray:
    """Noise of unit deviation, (points,), smoothed over so many seconds."""
    noise = smooth(rng.standard_normal(points), seconds)
    return noise / (np.std(noise) + 1e-12)


class Articulation:
    """Fills the control tracks note by note; `controls()` smooths them into movements."""

    def __init__(self, singer: Singer, samples: int, rng: np.random.Generator) -> None:
        self.singer, self.rng = singer, rng
        points = tick_count(samples)
        self.pitch = np.full(points, np.nan)
        self.wobble = np.zeros(points)  # vibrato's depth, 0 to 1
        self.voicing = np.zeros(points)
        self.aspiration = np.zeros(points)
        self.frication = np.zeros(points)
        self.effort = np.full(points, 0.8)
        self.formants = np.full((points, FORMANTS), np.nan)
        self.nasal = np.zeros(points)
        self.zero = np.full(points, 1000.0)
        self.colour = np.zeros(points, dtype=np.int64)

    def span(self, start: float, stop: float) -> slice:
        """The ticks from start to stop, in seconds, at least one where any are left."""
        first = int(np.clip(round(start * TICK_RATE), 0, len(self.pitch)))
        return slice(first, int(np.clip(round(stop * TICK_RATE), first, len(self.pitch))))

    def vowel(self, start: float, stop: float, nucleus: str, note: Note) -> None:
        """Voice a nucleus; a diphthong holds its first vowel, then glides to the second."""
        span = self.span(start, stop)
        count = span.stop - span.start
        if not count:
            return
        first, last = np.array(VOWELS[nucleus[0]]), np.array(VOWELS[nucleus[-1]])
        share = np.clip((np.arange(count) / count - 0.45) / 0.45, 0.0, 1.0)[:, None]
        self.formants[span] = self.singer.formant_scale * (first + share * (last - first))
        loudness = note.velocity * (1.0 + 0.12 * np.sin(np.pi * np.arange(count) / count))
        self.voicing[span] = loudness
        self.aspiration[span] = self.singer.breath * loudness
        self.effort[span] = loudness / 0.85

    def consonant(self, start: float, sound: Consonant, note: Note) -> None:
        """One consonant from `start` on: closure first, then its release."""
        closed, after = start + sound.closure, start + sound.closure + sound.seconds
        whole, shut, free = self.span(start, after), self.span(start, closed), self.span(closed, after)
        scale = self.singer.formant_scale
        for index, locus in enumerate(sound.loci):
            if locus is not None:
                self.formants[whole, index] = scale * locus
        self.voicing[shut] = sound.bar * note.velocity
        self.aspiration[shut] = self.frication[shut] = 0.0
        self.voicing[free] = sound.voicing * note.velocity
        self.aspiration[free] = max(sound.aspiration, self.singer.breath * sound.voicing) * note.velocity
        self.nasal[free] = float(sound.nasal > 0)
        self.zero[whole] = sound.nasal or 1000.0
        burst = self.span(closed, closed + 0.014) if sound.closure else free
        self.frication[burst] = sound.frication * note.velocity
        self.colour[self.span(start - 0.02, after + 0.02)] = COLOUR_INDEX[sound.colour]

    def release(self, stop: float, seconds: float) -> None:
        """Let the voice die away before a rest."""
        span = self.span(stop - seconds, stop)
        fade = np.linspace(1.0, 0.0, span.stop - span.start)
        self.voicing[span] *= fade
        self.effort[span] *= 0.6 + 0.4 * fade

    def sing_note(self, note: Note, syllable: Syllable, onset: float, stop: float, fresh: bool) -> None:
        """One syllable on one note: consonants before the beat, the vowel on it, the coda at its end."""
        first = CONSONANTS.get(syllable.onset) if not syllable.held else None
        last = CONSONANTS.get(syllable.coda)
        lead = first.seconds + first.closure if first else 0.0
        tail = last.seconds + last.closure if last and stop - onset > 0.22 else 0.0
        end = stop - tail
        self.pitch[self.span(onset - lead, stop)] = note.pitch
        self.vowel(onset - (0.03 if syllable.held else 0.0), end, syllable.nucleus, note)
        if first:
            self.consonant(onset - lead, first, note)
        if last and tail:
            self.consonant(end, last, note)
        self.bend(onset - lead, onset, stop, fresh)
        held = self.span(onset + self.singer.vibrato_delay, stop)
        self.wobble[held] = 1.0

    def bend(self, start: float, onset: float, stop: float, fresh: bool) -> None:
        """Approach a note from below, more so after a rest, and now and then let go of its end."""
        if fresh or self.rng.random() < 0.3:
            depth = self.singer.scoop * (1.0 if fresh else 0.5) * self.rng.uniform(0.2, 1.0)
            self.pitch[self.span(start, onset + min(0.07, 0.25 * (stop - onset)))] -= depth
        if stop - onset > 0.35 and self.rng.random() < 0.3:
            self.pitch[self.span(stop - 0.08, stop)] -= self.rng.uniform(0.3, 2.0)

    def breathe(self, before: float) -> None:
        """An intake that ends just before the phrase at `before`."""
        length = self.rng.uniform(0.16, 0.30)
        span = self.span(before - length - 0.10, before - 0.10)
        count = span.stop - span.start
        if count > 8:
            shape = np.sin(np.pi * np.linspace(0.0, 1.0, count)) ** 1.5
            self.aspiration[span] = self.rng.uniform(0.15, 0.5) * shape
            self.formants[span] = self.singer.formant_scale * np.array(VOWELS["V"])

    def controls(self) -> Controls:
        """The finished movements."""
        points, singer, rng = len(self.pitch), self.singer, self.rng
        pitch = smooth(fill_gaps(self.pitch, default=float(singer.low + 5)), singer.glide)
        pitch = smooth(pitch, singer.glide / 2)
        rate = singer.vibrato_rate * (1.0 + 0.05 * slow_noise(rng, points, 0.4))
        depth = smooth(self.wobble, 0.35) * (1.0 + 0.25 * slow_noise(rng, points, 0.5)) * singer.vibrato_depth / 100
        turn = 2 * np.pi * np.cumsum(rate) / TICK_RATE + rng.uniform(0, 6)
        drift = 0.17 * slow_noise(rng, points, 0.45) + 0.10 * slow_noise(rng, points, 0.12)
        jitter = 1.0 + singer.jitter * slow_noise(rng, points, 0.008)
        frequency = hertz(pitch + depth * np.sin(turn) + drift) * jitter
        tremble = 1.0 + singer.shimmer * slow_noise(rng, points, 0.012) + 0.15 * depth * np.sin(turn + 1.0)
        swell = 1.0 + 0.10 * slow_noise(rng, points, 0.6)
        formants = smooth(self.settled_formants(frequency), 0.055)
        return Controls(
            frequency=frequency,
            voicing=smooth(self.voicing, 0.030) * tremble * swell,
            aspiration=smooth(self.aspiration, 0.018),
            frication=smooth(self.frication, 0.012),
            effort=smooth(self.effort, 0.09) * swell,
            formants=formants * (1.0 + 0.012 * slow_noise(rng, points, 0.15)[:, None]),
            nasal=smooth(self.nasal, 0.05),
            zero=smooth(self.zero, 0.04),
            colour=self.colour,
        )

    def settled_formants(self, frequency: np.ndarray) -> np.ndarray:
        """Targets without gaps; F1 follows a high pitch upwards, F3 to F5 draw together in a ringing voice."""
        neutral = self.singer.formant_scale * np.array(VOWELS["V"])
        formants = np.stack([fill_gaps(column, neutral[i]) for i, column in enumerate(self.formants.T)], axis=1)
        formants[:, 0] = np.maximum(formants[:, 0], 1.04 * smooth(frequency, 0.05))
        formants[:, 1] = np.maximum(formants[:, 1], formants[:, 0] + 180.0)
        centre = 2950.0 * self.singer.formant_scale
        pull = 0.45 * self.singer.ringing * np.array([0.0, 0.0, 0.6, 1.0, 1.0])
        return formants + pull * (centre - formants) * np.array([0.0, 0.0, 1.0, 0.4, 0.1])


def fill_gaps(track: np.ndarray, default: float) -> np.ndarray:
    """The track with its NaNs bridged by straight lines; all `default` where nothing is known."""
    known = np.flatnonzero(~np.isnan(track))
    if not len(known):
        return np.full(len(track), default)
    return np.interp(np.arange(len(track)), known, track[known])


def articulate(
    singer: Singer, melody: list[Note], words: list[Syllable], samples: int, rng: np.random.Generator
) -> Controls:
    """The tracks of a melody (in order of time) with one syllable a note."""
    articulation = Articulation(singer, samples, rng)
    late = rng.normal(0.008, 0.014, len(melody))
    previous = -1.0
    for index, (note, word) in enumerate(zip(melody, words, strict=True)):
        onset = max(note.start + late[index], 0.0)
        stop = note.start + note.length
        following = melody[index + 1].start if index + 1 < len(melody) else np.inf
        if index + 1 < len(melody) and following - stop < 0.05:
            upcoming = CONSONANTS.get(words[index + 1].onset) if not words[index + 1].held else None
            stop = following + late[index + 1] - (upcoming.seconds + upcoming.closure if upcoming else 0.0)
        closing = following - stop >= 0.05
        stop = max(stop, onset + 0.06)
        fresh = note.start - previous > BREATH_GAP
        if fresh:
            lead = CONSONANTS[word.onset].seconds if word.onset else 0.0
            articulation.breathe(onset - lead)
        articulation.sing_note(note, word, onset, stop, fresh)
        if closing and not word.coda:
            articulation.release(stop, min(0.16, 0.4 * (stop - onset)))
        previous = note.start + note.length
    return articulation.controls()
