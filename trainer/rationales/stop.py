"""What ends a run before it is done."""


class Stop(Exception):
    """Why a run ends now, in one sentence; the answers so far are in the journal."""
