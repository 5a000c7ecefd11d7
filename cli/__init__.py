"""The `cloister` command: one file per command, nothing heavy imported before a command runs."""

import os
import sys

import typer

from .. import CloisterError, __version__
from .audit import audit
from .check import check
from .export import export
from .fewshot import fewshot
from .finetune import finetune
from .generate import generate
from .inspect import inspect
from .keygen import keygen
from .open import open_
from .predict import predict
from .redact import redact
from .seal import seal
from .serve import serve
from .verify import verify

app = typer.Typer(
    name="cloister",
    help="Private, fast inference for fine-tuned transformers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(show: bool) -> None:
    if show:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Private, fast inference for fine-tuned transformers."""


for command in (export, finetune, fewshot, inspect, check, predict, generate, redact, serve, keygen, seal, verify):
    app.command()(command)
app.command("open")(open_)
app.add_typer(audit)


def report(error: CloisterError) -> None:
    """Print an error the way every command does: one line `error: …`, one line `hint: …`, both on stderr."""
    for label, sentence in (("error", error.message), ("hint", error.hint)):
        sys.stderr.write(f"{label}: {' '.join(sentence.split())}\n")


def main() -> None:
    """Run the command line; exit 0 when done, 1 when it failed, 2 for wrong usage."""
    try:
        app()
    except CloisterError as error:
        report(error)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output left (`cloister … | head`): not our failure, and nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
