"""PipeWatcher: the historian an industrial plant trusts with its sensors."""

__version__ = "0.1.0"
