"""The tear sheet: a result as one page to look at."""

from fluxhero.lab.tearsheet.page import page

__all__ = ["page"]
