"""Why a batch has no rewards. Every error takes one string, so that it can be pickled from one process to another."""


class RewardError(Exception):
    """A batch without rewards, or options that no client can work with."""


class RewardUnavailable(RewardError):
    """No rewards within the patience; the batch may be sent again."""


class ServerUntrusted(RewardError):
    """No server's certificate is trusted, which no waiting mends; `tls.ca_file` says who may have signed it."""


class RewardRefused(RewardError):
    """The server does not take the request (4xx), and would not take it a second time."""


class SpecMismatch(RewardRefused):
    """Another spec than the pinned one would score, or did."""


class BadAnswer(RewardError):
    """An answer that cannot be right."""
