"""A section of config.toml as a frozen Struct: every key has a default, a range, a unit and a meaning."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Meta, inspect

S = TypeVar("S", bound="Section")


class ConfigError(Exception):
    """One line: the key, the value, the range."""


Share = Annotated[float, Meta(gt=0.0, le=1.0)]
Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]
Factor = Annotated[float, Meta(gt=0.0, le=100.0)]
Multiple = Annotated[float, Meta(ge=0.0, le=100.0)]
Level = Annotated[float, Meta(gt=0.0, lt=100.0)]
Glance = Annotated[float, Meta(gt=0.0, le=60.0)]  # s; what a restart sees again
Count = Annotated[int, Meta(ge=1, le=1000)]


def key(unit: str, meaning: str, **more: str) -> Meta:
    """`range`: what the type alone cannot say; `under`: the key of the same section that must be larger."""
    return Meta(description=meaning, extra={"unit": unit, **more})


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key; `section` as in the file, such as strategy.dual_mode."""

    section: str
    name: str
    default: Any
    unit: str
    range: str
    meaning: str
    under: str  # the key of the same section that must be larger, or nothing
    texts: tuple[str, ...]  # all that may stand, where it is one of a few

    @property
    def path(self) -> str:
        return f"{self.section}.{self.name}" if self.section else self.name


@cache
def describe(section: type[Section], path: str) -> tuple[Key, ...]:
    """The keys of a section itself, in the file's order."""
    described = inspect.type_info(section)
    assert isinstance(described, inspect.StructType)
    kinds = get_type_hints(section, include_extras=True)
    return tuple(
        _key(field, field.type, path, get_args(get_args(kinds[field.name])[0]))
        for field in described.fields
        if isinstance(field.type, inspect.Metadata)
    )


def _key(field: inspect.Field, kind: inspect.Metadata, path: str, args: tuple[Any, ...]) -> Key:
    """`args`: of its type, in their order; msgspec sorts those of a Literal."""
    extra, schema = kind.extra or {}, kind.extra_json_schema or {}
    under = extra.get("under", "")
    texts = args if isinstance(kind.type, inspect.LiteralType) else ()
    bounds = extra.get("range") or " or ".join(texts) or _range(kind.type)
    return Key(
        section=path, name=field.name, default=field.default, unit=extra["unit"], meaning=schema["description"],
        range=f"{bounds}, under {under}" if under else bounds, under=under, texts=texts,
    )  # fmt: skip


def _range(t: inspect.Type) -> str:
    if isinstance(t, inspect.BoolType):
        return "true or false"
    if not isinstance(t, inspect.IntType | inspect.FloatType):
        return ""
    if t.ge is not None and t.le is not None:
        return f"{t.ge:_.15g} to {t.le:_.15g}"
    bounds = ((">", t.gt), (">=", t.ge), ("<", t.lt), ("<=", t.le))
    return ", ".join(f"{sign} {bound:_.15g}" for sign, bound in bounds if bound is not None)


def checked(raw: Any, section: type[S], path: str) -> S:
    """A table as it came from TOML. Raises ConfigError."""
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} = {shown(raw)}: must be a section, [{path}]")
    keys = {k.name: k for k in describe(section, path)}
    for name in raw:
        if name not in keys:
            raise unknown(path, name, keys)
    try:
        made = msgspec.convert(raw, section)
    except msgspec.ValidationError as e:
        raise _invalid(raw, keys, str(e)) from None
    for k in keys.values():
        _sound(made, k)
    return made


def unknown(path: str, name: str, there: Any) -> ConfigError:
    return ConfigError(f"{path or 'top level'}: unknown {shown(name)}; there are {', '.join(there) or 'no keys'}")


def _invalid(raw: dict[str, Any], keys: dict[str, Key], error: str) -> ConfigError:
    """Of msgspec's error only the place counts; the rest is said as it is for every key."""
    place = re.search(r"`\$\.(\w+)(?:\[(\d+)\])?`\Z", error)
    assert place, error
    k, value = keys[place[1]], raw[place[1]]
    said = f"has {shown(value[int(place[2])])}" if place[2] else f"= {shown(value)}"
    return ConfigError(f"{k.path} {said}: {rule(k)}")


def _sound(made: Section, k: Key) -> None:
    """What no type can say."""
    value = getattr(made, k.name)
    if k.under and value >= (large := getattr(made, k.under)):
        raise ConfigError(f"{k.path} = {value!r}: {rule(k)}; {k.section}.{k.under} is {large!r}")
    if isinstance(value, tuple):
        for i, one in enumerate(value):
            if one in value[:i]:
                raise ConfigError(f"{k.path} has {shown(one)} twice: {rule(k)}")


KINDS = {bool: "a flag", int: "a whole number", float: "a number", str: "text", tuple: "a list"}


def rule(k: Key) -> str:
    return f"must be {KINDS[type(k.default)]}, {k.range} ({k.unit})"


def shown(value: Any) -> str:
    try:
        text = value.isoformat() if hasattr(value, "isoformat") else repr(value)
    except ValueError:  # thousands of digits
        return "a huge number"
    return text if len(text) <= 80 else f"{text[:77]}..."


def numbers(section: Section) -> dict[str, int | float]:
    """As the kernel takes them: a flag is 0 or 1, one of a few texts its index; lists are left out."""
    made: dict[str, int | float] = {}
    for k in describe(type(section), ""):
        value = getattr(section, k.name)
        if k.texts:
            made[k.name] = k.texts.index(value)
        elif isinstance(value, int | float):
            made[k.name] = int(value) if isinstance(value, bool) else value
    return made
