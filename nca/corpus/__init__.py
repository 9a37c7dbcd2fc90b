"""The demo corpus: songs synthesised from a seed, in MUSDB18's folder layout.

It stands in for the data of Sec. 4.1: a source-filter singer over guitars, strings, keys, bass and drums. The files
follow a song's making: `styles` and `score` (what is played), `phonemes` and `articulation` (what is sung), `voice`,
`strings`, `keys`, `bass` and `drums` (the instruments), `room` and `song` (the mix), `build` (the folder).
"""

from nca.corpus.build import make_corpus

__all__ = ["make_corpus"]
