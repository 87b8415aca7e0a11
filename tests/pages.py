"""A page as a parser sees it."""

from html.parser import HTMLParser
from typing import Any

import msgspec


class Reading(HTMLParser):
    """Its tags, attributes and text; JSON apart, scripts and styles not at all. Whatever is opened must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.data: dict[str, Any] = {}
        self._data = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._data = dict(attrs).get("id") or "" if ("type", "application/json") in attrs else ""
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._data:
            self.data[self._data] = msgspec.json.decode(data)
            self._data = ""
        elif self.open and self.open[-1] not in ("style", "script"):
            self.text += f"{data} "

    @property
    def words(self) -> str:
        return " ".join(self.text.replace("\N{NO-BREAK SPACE}", " ").split())
