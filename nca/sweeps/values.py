"""Values as people write them: in YAML 1.2, and on the command line."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError

from nca.errors import RunError
from nca.support.kinds import admits


class _Constructor(SafeConstructor):
    """What YAML takes for a date stays the text that it is."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def read_yaml(text: str) -> Any:
    """The value of a YAML 1.2 text, in which `on` and `no` are words, as dates are, and `1e-4` is a number.

    Raises:
        YAMLError: It is not YAML, or a mapping names a key twice.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    return yaml.load(text)


def assignment(text: str) -> tuple[str, str]:
    """The name and the text of `NAME=VALUE`.

    Raises:
        RunError: It is not of that form.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise RunError(f"--set takes NAME=VALUE, not {text!r}")
    return name.strip(), value


def one_value(kind: str, text: str) -> Any:
    """The value that a text on the command line gives a parameter of a kind.

    A parameter that is text takes it as it stands, `2024` and `My #1 songs` too, without quotes around it; any other
    takes it as YAML.
    """
    try:
        value = read_yaml(text)
    except YAMLError:
        return text
    if isinstance(value, str):
        return value if text.strip()[0] in "'\"" else text
    return text if admits(kind, text) and not admits(kind, value) else value


def values(kind: str, given: str | Any) -> list[Any]:
    """The values that a setting gives a parameter of a kind; several are swept over.

    A list of values, `[DAE, SF]` or `DAE,SF`, is several, where the parameter is not a list itself; a text in quotes is
    one, whatever stands in it.
    """
    several: Any = given
    if isinstance(given, str):
        try:
            several = read_yaml(given)
        except YAMLError:
            several = given
        if several == given and "," in given:
            several = [one_value(kind, part.strip()) for part in given.split(",")]
    listed = isinstance(several, list) and several and not admits(kind, several)
    if listed and all(admits(kind, each) for each in several):
        return several
    return [one_value(kind, given) if isinstance(given, str) else given]
