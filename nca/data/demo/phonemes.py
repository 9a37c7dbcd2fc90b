"""What is sung: vowels, consonants, and the nonsense lyric drawn from them.

F1 to F3 of the vowels lie within 8 % of the men's means of Peterson and Barney's "Control Methods Used in a Study of
the Vowels", 1952; higher formants are chosen by ear. Bandwidths, consonants' loci and sources follow the manner and
the orders of magnitude of Klatt's "Software for a Cascade/Parallel Formant Synthesizer", 1980, set by ear, and so are
noise colours, durations and how often a sound comes.
"""

from dataclasses import dataclass

import numpy as np

# Formant frequencies in Hz of a tract of 17.5 cm, F1 to F5; a singer's own are these times its formant scale. In
# Peterson and Barney's words: hod, head, heed, hid, hawed, who'd, had, hud, heard.
VOWELS: dict[str, tuple[float, float, float, float, float]] = {
    "a": (720.0, 1150.0, 2550.0, 3450.0, 4300.0),
    "e": (530.0, 1840.0, 2520.0, 3500.0, 4400.0),
    "i": (290.0, 2230.0, 2950.0, 3600.0, 4450.0),
    "I": (400.0, 1950.0, 2560.0, 3550.0, 4400.0),
    "o": (530.0, 870.0, 2450.0, 3300.0, 4200.0),
    "u": (320.0, 850.0, 2300.0, 3250.0, 4150.0),
    "A": (670.0, 1690.0, 2450.0, 3450.0, 4300.0),
    "V": (630.0, 1220.0, 2450.0, 3400.0, 4250.0),
    "R": (480.0, 1330.0, 1720.0, 3150.0, 4150.0),
}
BANDWIDTHS = (75.0, 90.0, 120.0, 170.0, 240.0)  # Hz
# A sung vowel either stays or glides: the second is where it ends.
NUCLEI = ["a", "e", "i", "I", "o", "u", "A", "V", "R", "ai", "eI", "ou", "au", "iu"]
NUCLEUS_ODDS = np.array([10, 7, 11, 5, 8, 8, 6, 8, 3, 9, 9, 10, 4, 2], dtype=float)


@dataclass(frozen=True)
class Consonant:
    """One consonant: its loci (None keeps the vowel's), seconds, and the strengths of its sources (linear)."""

    loci: tuple[float | None, float | None, float | None]
    seconds: float
    voicing: float = 0.0
    aspiration: float = 0.0
    frication: float = 0.0
    colour: str = "f"
    nasal: float = 0.0  # frequency in Hz of the nasal zero; 0 for an oral sound
    closure: float = 0.0  # seconds of silence (or voice bar) before the rest
    bar: float = 0.0  # voicing during the closure


CONSONANTS: dict[str, Consonant] = {
    "m": Consonant((270, 1000, 2200), 0.075, voicing=0.45, nasal=1000.0),
    "n": Consonant((280, 1600, 2600), 0.070, voicing=0.45, nasal=1700.0),
    "l": Consonant((350, 1050, 2800), 0.065, voicing=0.55),
    "r": Consonant((350, 1150, 1650), 0.075, voicing=0.55),
    "w": Consonant((300, 650, 2200), 0.075, voicing=0.50),
    "y": Consonant((270, 2200, 3000), 0.065, voicing=0.50),
    "v": Consonant((300, 1000, 2300), 0.070, voicing=0.35, frication=0.10, colour="f"),
    "z": Consonant((290, 1700, 2600), 0.080, voicing=0.25, frication=0.35, colour="s"),
    "D": Consonant((300, 1400, 2550), 0.055, voicing=0.35, frication=0.10, colour="f"),
    "s": Consonant((320, 1750, 2650), 0.115, frication=0.75, colour="s"),
    "S": Consonant((300, 1900, 2600), 0.120, frication=0.75, colour="S"),
    "f": Consonant((330, 1050, 2350), 0.100, frication=0.28, colour="f"),
    "T": Consonant((320, 1400, 2550), 0.090, frication=0.22, colour="f"),
    "h": Consonant((None, None, None), 0.075, aspiration=0.9),
    "p": Consonant((350, 950, 2300), 0.050, aspiration=0.7, frication=0.30, colour="p", closure=0.065),
    "t": Consonant((330, 1750, 2650), 0.055, aspiration=0.6, frication=0.75, colour="t", closure=0.055),
    "k": Consonant((320, 1900, 2300), 0.060, aspiration=0.6, frication=0.55, colour="k", closure=0.055),
    "b": Consonant((270, 850, 2250), 0.015, voicing=0.30, frication=0.15, colour="p", closure=0.055, bar=0.16),
    "d": Consonant((280, 1750, 2650), 0.018, voicing=0.30, frication=0.35, colour="t", closure=0.045, bar=0.16),
    "g": Consonant((280, 1950, 2300), 0.022, voicing=0.30, frication=0.30, colour="k", closure=0.050, bar=0.16),
}
# Noise colours: peaks as (centre Hz, width Hz, gain), and the frequency below which the noise dies away.
COLOURS: dict[str, tuple[tuple[tuple[float, float, float], ...], float]] = {
    "s": (((5400.0, 1500.0, 1.0), (8200.0, 2600.0, 0.9), (11500.0, 3500.0, 0.35)), 3600.0),
    "S": (((2900.0, 800.0, 1.0), (4700.0, 1600.0, 0.7), (7500.0, 3000.0, 0.25)), 1900.0),
    "f": (((1600.0, 1500.0, 0.35), (4500.0, 3500.0, 0.5), (9000.0, 5000.0, 0.7)), 900.0),
    "p": (((700.0, 700.0, 1.0), (2200.0, 2000.0, 0.3)), 250.0),
    "t": (((4200.0, 2000.0, 1.0), (7000.0, 3000.0, 0.6)), 2200.0),
    "k": (((1900.0, 700.0, 1.0), (4300.0, 1500.0, 0.35)), 1000.0),
}
ONSETS = ["", *CONSONANTS]
ONSET_ODDS = np.array([7, 7, 7, 7, 5, 6, 4, 3, 2, 6, 7, 4, 5, 3, 6, 4, 7, 6, 5, 5, 4], dtype=float)
CODAS = ["", "n", "m", "l", "s", "t", "z", "d", "r", "k", "v"]
CODA_ODDS = np.array([52, 9, 5, 6, 6, 6, 5, 4, 4, 2, 2], dtype=float)


@dataclass(frozen=True)
class Syllable:
    """One sung syllable; an empty onset after a rest starts on the vowel, `held` carries the last vowel on."""

    onset: str
    nucleus: str
    coda: str
    held: bool = False


def lyric(rng: np.random.Generator, count: int) -> list[Syllable]:
    """`count` syllables, about one in nine of them a vowel held on from the one before."""
    onsets = rng.choice(ONSETS, count, p=ONSET_ODDS / ONSET_ODDS.sum())
    nuclei = rng.choice(NUCLEI, count, p=NUCLEUS_ODDS / NUCLEUS_ODDS.sum())
    codas = rng.choice(CODAS, count, p=CODA_ODDS / CODA_ODDS.sum())
    held = rng.random(count) < 0.11
    words: list[Syllable] = []
    for index in range(count):
        if held[index] and words:
            last = words.pop()
            words.append(Syllable(last.onset, last.nucleus[-1] if last.held else last.nucleus[0], "", last.held))
            words.append(Syllable("", last.nucleus[-1], str(codas[index]), held=True))
        else:
            words.append(Syllable(str(onsets[index]), str(nuclei[index]), str(codas[index])))
    return words
