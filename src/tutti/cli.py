"""The `tutti` command."""

from pathlib import Path
from typing import Annotated

import typer

import tutti
from tutti.errors import exit_code_of

_EXIT_CODES = (
    "Exit codes: 0 done, 1 bug, 2 parameters, 3 data, 4 recording, 5 gate failed, 6 artifact altered, 7 server."
)

app = typer.Typer(
    help="Tells which instruments play in a recording.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"tutti {tutti.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command(epilog=_EXIT_CODES)
def predict(
    files: Annotated[list[Path], typer.Argument(help="Recordings: WAV, FLAC, Ogg or MP3, of any length.")],
    model: Annotated[
        Path | None,
        typer.Option(help="A model or an ensemble. [default: the registry's champion, else artifacts/ensemble]"),
    ] = None,
    registry: Annotated[Path, typer.Option(help="Where the champion is looked for.")] = Path("registry"),
    as_json: Annotated[
        bool, typer.Option("--json", help="The server's answer: one object, or a list when there are several files.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A line per file and instrument.")] = False,
    timeline: Annotated[bool, typer.Option("--timeline", help="Every window, too (JSON has them always).")] = False,
    top: Annotated[
        int | None, typer.Option(min=1, help="Instruments in the table or CSV. [default: those present, at least 5]")
    ] = None,
    hop: Annotated[float | None, typer.Option(help="Seconds between windows. [default: the model's]")] = None,
    device: Annotated[str, typer.Option(help="Where to compute: cpu, cuda, cuda:1.")] = "cpu",
    debug: Annotated[bool, typer.Option("--debug", help="Show stack traces.")] = False,
) -> None:
    """Tells which instruments play in recordings.

    A file that cannot be used is reported on standard error, the others are printed, and the exit code is 4.
    """
    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    from tutti.commands.predict import predict as run

    code = exit_code_of(
        lambda: run(
            files,
            model=model,
            registry=registry,
            output="json" if as_json else "csv" if as_csv else "table",
            timeline=timeline,
            top=top,
            hop_s=hop,
            device=device,
            debug=debug,
        ),
        debug=debug,
    )
    raise typer.Exit(code)


@app.command()
def models(as_json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False) -> None:
    """Lists the models: presets, sizes, papers and published results."""
    from tutti.commands.models import show

    show(as_json=as_json)


@app.command(
    "train-on",
    epilog=_EXIT_CODES,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def train_on(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Recordings in a folder per instrument.")],
    out: Annotated[Path, typer.Option(help="Where the models go.")],
) -> None:
    """Trains an ensemble on your own labelled recordings.

    Further options go to the pipeline: see `python -m pipelines.train_on --help` in the checkout.
    """
    from tutti.commands.train_on import train_on as run

    raise typer.Exit(exit_code_of(lambda: run(folder, out, context.args)))


@app.command("show-answer", hidden=True)
def show_answer() -> None:
    """Prints the server's JSON answer, read from standard input, as a table."""
    from tutti.commands.predict import show_answer as run

    raise typer.Exit(run())


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
