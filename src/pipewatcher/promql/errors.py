"""Why a query has no answer, in words for whoever wrote it."""


class BadQuery(Exception):
    """It cannot be read, or asks for what is not offered here."""


class TooMuch(Exception):
    """It can be read, and its answer would be larger than we give."""
