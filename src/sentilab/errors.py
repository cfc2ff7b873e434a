"""The one family of errors that a user can cause and mend."""


class SentilabError(Exception):
    """Says what was wrong, where, and what to do; the command line prints it without a traceback."""


class DataError(SentilabError):
    """The data cannot be used as they are."""


class DataNotFound(DataError):
    """No copy of the named data could be found or fetched."""


class SettingsError(SentilabError):
    """A setting, study file or model name is not valid."""


class ModelCannotTrain(SentilabError):
    """The model's output does not fit the labels; the message explains why and how to mend it."""
