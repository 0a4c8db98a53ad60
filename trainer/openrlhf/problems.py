"""Why a run should not start. Every error says it in one sentence, and names what it is about."""


class RunProblem(Exception):
    """Anything found before a run that would end it, or spoil it, later."""


class RecipeError(RunProblem):
    """A recipe that cannot be read: names the file, the key and the reason."""


class FlagError(RunProblem):
    """A flag that OpenRLHF does not take, or flags that do not go together: names the keys as a recipe spells them."""


class InputError(RunProblem):
    """A model or data set that cannot be trained on."""


class FolderError(RunProblem):
    """A run's folder that cannot be used."""


class EnvironmentProblem(RunProblem):
    """Something this machine or cluster lacks."""
