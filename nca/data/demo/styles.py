"""What tells one style from another: tempo, metre, harmony, groove and who plays."""

from dataclasses import dataclass

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
ROOTS = {"C": 0, "Eb": 3, "E": 4, "F": 5, "G": 7, "Ab": 8, "A": 9, "Bb": 10}
CHORDS = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "7": (0, 4, 7, 10),
    "sus4": (0, 5, 7),
}


def chord_tones(symbol: str) -> tuple[int, ...]:
    """A chord's pitch classes, root first, from a symbol such as 'Am7'."""
    root = symbol[: 1 + (symbol[1:2] == "b")]
    return tuple((ROOTS[root] + step) % 12 for step in CHORDS[symbol[len(root) :]])


@dataclass(frozen=True)
class Style:
    """One style. Patterns are strings over a bar's sixteenths: '.' rest, 'o' soft, 'x' normal, 'X' loud."""

    tempi: tuple[float, float]  # beats a minute
    beats: tuple[int, ...]  # metres to choose from, in quarters a bar
    harmony: tuple[tuple[str, str], ...]  # (mode, chords, one a bar, as if the tonic were C)
    density: float  # how many of the strong places of a bar carry a sung note
    sixteenths: float  # odds of a sung note off the eighths
    kick: tuple[str, ...]
    snare: tuple[str, ...]
    hat: tuple[str, ...]
    bass: tuple[str, ...]  # 'r' root, 'f' fifth, 'o' octave, 't' third, '.' rest, '-' hold
    band: tuple[tuple[str, ...], ...]  # line-ups: names of parts, see band.py
    kit: str  # acoustic, brushes or machine
    bass_tone: str  # finger, pick, synth
    swing: float  # delay of the off-beat sixteenths, as a share of a sixteenth


STYLES: dict[str, Style] = {
    "ballad": Style(
        tempi=(60, 84),
        beats=(4,),
        harmony=(("major", "C Am F G"), ("major", "C Em Fmaj7 Gsus4"), ("minor", "Cm Ab Eb Bb")),
        density=0.62,
        sixteenths=0.12,
        kick=("X.........x.....", "X......xX.......", "X.....x.x......."),
        snare=("....X.......X...", "........X......."),
        hat=("x.o.x.o.x.o.x.o.", "x...x...x...x..."),
        bass=("r---------r---f-", "r-------f-------", "r-----r-r---o-f-"),
        band=(("piano", "strings"), ("piano", "strings", "arpeggio"), ("organ", "strings", "arpeggio")),
        kit="acoustic",
        bass_tone="finger",
        swing=0.0,
    ),
    "pop-rock": Style(
        tempi=(98, 146),
        beats=(4,),
        harmony=(("major", "C G Am F"), ("mixolydian", "C Bb F C"), ("minor", "Cm Ab Bb Cm")),
        density=0.72,
        sixteenths=0.06,
        kick=("X.....x.X.......", "X..x..x.X.x.....", "X.......X.x....."),
        snare=("....X.......X...", "....X.......X..o"),
        hat=("x.o.x.o.x.o.x.o.", "X.x.X.x.X.x.X.x."),
        bass=("r-r-r-r-r-r-r-r-", "r---r-r-r---r-f-", "r-r-r-r-r-r-f-o-"),
        band=(("crunch", "strum"), ("crunch", "organ"), ("strum", "strings", "lead"), ("crunch", "lead", "pad")),
        kit="acoustic",
        bass_tone="pick",
        swing=0.0,
    ),
    "funk": Style(
        tempi=(96, 122),
        beats=(4,),
        harmony=(("dorian", "Cm7 Cm7 F7 F7"), ("minor", "Cm7 Fm7 Bb7 Ebmaj7"), ("major", "Fmaj7 Em7 Am7 Am7")),
        density=0.60,
        sixteenths=0.26,
        kick=("X..x..x...x..x..", "X...X...X...X...", "X..x......x.....", "X.x...x...x....."),
        snare=("....X..o.o..X..o", "....X.......X...", "....X..o....X.o."),
        hat=("x.ox.xoxx.ox.xox", "x.X.x.X.x.X.x.X.", "xoxoxoxoxoxoxoxo"),
        bass=("r..r..o.r..f.o..", "r-o-r-o-r-o-f-o-", "r..o..r.o.f.r.o.", "r-..r.r...o.f.t."),
        band=(("scratch", "stabs", "strings"), ("scratch", "organ", "stabs"), ("scratch", "piano", "strings")),
        kit="acoustic",
        bass_tone="finger",
        swing=0.14,
    ),
    "folk": Style(
        tempi=(82, 126),
        beats=(3, 4),
        harmony=(("major", "C F C G"), ("dorian", "Cm Bb F Cm"), ("major", "C Am F Gsus4")),
        density=0.66,
        sixteenths=0.04,
        kick=("X.......x.......", "X...........x..."),
        snare=("....x.......x...", "....x..o....x.o."),
        hat=("x.oox.oox.oox.oo", "o.x.o.x.o.x.o.x."),
        bass=("r-------f-------", "r---f---r---f---", "r-------r---f---"),
        band=(("arpeggio", "fiddle"), ("strum", "fiddle", "arpeggio"), ("arpeggio", "piano", "strings")),
        kit="brushes",
        bass_tone="finger",
        swing=0.05,
    ),
    "electronic": Style(
        tempi=(104, 130),
        beats=(4,),
        harmony=(("minor", "Cm Ab Eb Bb"), ("minor", "Abmaj7 Bb Cm7 Cm7"), ("major", "F C G Am")),
        density=0.56,
        sixteenths=0.15,
        kick=("X...X...X...X...", "X...X...X...X..x", "X..X..X...X....."),
        snare=("....X.......X...", "........X......."),
        hat=("..x...x...x...x.", "o.X.o.X.o.X.oxX.", "xoxxxoxxxoxxxoxx"),
        bass=("..r-..r-..r-..r-", "r.rr.rr.r.rr.ro.", "r-----r-----r---"),
        band=(("pad", "sequence"), ("pad", "sequence", "stabs"), ("pad", "stabs", "piano")),
        kit="machine",
        bass_tone="synth",
        swing=0.0,
    ),
}
