"""`reward-server serve`."""

import gc

import typer

from reward_server.certainty.source import SourceError
from reward_server.cli.flags import unknown_variables, with_settings
from reward_server.reward.spec import SpecError
from reward_server.scoring import ConfigurationError
from reward_server.settings import Settings


@with_settings
def serve(settings: Settings) -> None:
    """Serve `POST /score` over HTTP. Every flag is also an environment variable; the flag wins."""
    # Imported here, so that the other commands start without the HTTP stack, and that after the metrics are shared.
    from reward_server.service.shared_metrics import shared_metrics

    if unknown := unknown_variables():
        typer.echo(f"WARNING: no setting is called {', '.join(unknown)}: --help names all", err=True)
    try:
        with shared_metrics():
            # What is imported stays: looking for garbage in it would be a tenth of a start.
            gc.disable()
            from reward_server.service.serve import serve as run

            gc.freeze()
            gc.enable()
            status = run(settings)
    except (SpecError, ConfigurationError, SourceError) as error:
        raise typer.BadParameter(str(error)) from None
    raise typer.Exit(status)
