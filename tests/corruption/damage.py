"""Ways in which a file goes wrong, drawn from a seed: of its bytes, and of what a JSON or YAML file says."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

# what may stand where something else belongs
ODD = (
    None,
    True,
    False,
    0,
    -1,
    3.5,
    2**63,
    10**30,
    1e308,
    -1e-320,
    "",
    "nan",
    "../..",
    "/",
    "\0",
    "$HOME",
    "<b>ä\n</b>",
    "x" * 5000,
    [],
    {},
    [[]],
    [None],
    {"range": 10**12},
    {"value": None},
    {"draw": 3},
    {"all": 5},
)
NAMES = (
    "-rf",
    "two words",
    " ",
    "tab\there",
    "line\nbreak",
    "<script>alert(1)",
    "ä ö 音楽 🎤",
    "e\u0301",
    "a" * 200,
    "'\"`$(touch x)",
    "%s%d{0}",
    "..hidden",
    "x.wav",
    "x.stem.mp4",
    "seed0",
    "CON",
    b"\xff\xfe".decode("utf-8", "surrogateescape"),
)


def of_bytes(content: bytes, random: Random) -> bytes:
    """A few bytes flipped, zeroed, put in or taken out, or the rest of the file lost, or replaced by noise."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8))):
        place, length = random.randrange(len(changed) + 1), random.choice((1, 2, 8, 200))
        # what a file says of itself stands at its beginning
        place = random.choice((place, min(place, random.randrange(200))))
        match random.choice(("flip", "flip", "zero", "insert", "cut", "truncate", "empty", "noise")):
            case "flip":
                for at in range(place, min(place + random.choice((1, 4)), len(changed))):
                    changed[at] ^= 1 << random.randrange(8)
            case "zero":
                changed[place : place + length] = bytes(len(changed[place : place + length]))
            case "insert":
                changed[place:place] = random.randbytes(length)
            case "cut":
                del changed[place : place + length]
            case "truncate":
                del changed[place:]
            case "empty":
                changed = bytearray(random.choice((b"", b"\0", b"null", b"\xff\xfe")))
            case "noise":
                changed[place : place + length] = random.randbytes(len(changed[place : place + length]))
    return bytes(changed)


def of_tree(tree: Any, random: Random) -> Any:
    """A value lost, another in its place, a name misspelt or an entry twice, anywhere in nested lists and mappings."""
    tree = json.loads(json.dumps(tree))
    for _ in range(random.choice((1, 1, 2))):
        places = list(_places(tree))
        if not places:
            return random.choice(ODD)
        holder, key = random.choice(places)
        match random.choice(("odd", "odd", "odd", "lost", "misspelt", "moved")):
            case "odd":
                holder[key] = random.choice(ODD)
            case "lost":
                del holder[key]
            case "misspelt" if isinstance(holder, dict):
                holder[random.choice((f"{key}x", "", "out", "1"))] = holder.pop(key)
            case _:
                other, place = random.choice(places)
                if place in other if isinstance(other, dict) else place < len(other):
                    holder[key] = json.loads(json.dumps(other[place]))
    return tree


def of_json(path: Path, random: Random) -> None:
    """A JSON file that says something else, or is none any more."""
    _of_text(path, random, json.loads, lambda tree: json.dumps(tree, allow_nan=True))


def of_yaml(path: Path, random: Random) -> None:
    """A YAML file that says something else, or is none any more."""
    _of_text(path, random, yaml.safe_load, lambda tree: yaml.safe_dump(tree, allow_unicode=True, sort_keys=False))


def of_file(path: Path, random: Random) -> None:
    """A file with other bytes."""
    path.write_bytes(of_bytes(path.read_bytes(), random))


def _of_text(path: Path, random: Random, read: Callable[[str], Any], write: Callable[[Any], str]) -> None:
    if random.random() < 0.3:
        of_file(path, random)
    else:
        path.write_text(write(of_tree(read(path.read_text()), random)), encoding="utf-8")


def _places(tree: Any) -> Any:
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _places(tree[key])
