"""The demo corpus: songs synthesised from a seed, in MUSDB18's folder layout.

It stands in for the data of Sec. 4.1: a source-filter singer over guitars, strings, keys, bass and drums. The files
follow a song's making: `styles` and `score` (the song on paper), `phonemes`, `articulation` and `voice` (what is sung,
and by whom), `parts`, `strings`, `synths`, `band` and `drums` (what is played, and on what), `room` and `song` (the
mix), `build` (the folder). Each names the literature that its model comes from, and what is chosen by ear.
"""

from nca.data.demo.build import make_corpus

__all__ = ["make_corpus"]
