"""Assemble the `bellwether` command and turn errors into messages."""

import logging
import os
import sys
from typing import Annotated

import typer
from rich.text import Text

from cli import access
from cli.bundles import bundle, evaluate, export, policy
from cli.cases import group as cases
from cli.console import errors
from cli.data import check, contract, pseudonymize, reference, request, simulate
from cli.serving import demo, desk, score, serve, token
from cli.training import compare, models, report, reproduce, search, train
from records.errors import BellwetherError
from records.usage_reports import switch_off_usage_reports
from service.process.bentoml_home import choose_home

app = typer.Typer(
    name="bellwether",
    help=(
        "Early, explained, actionable warnings from students' period-by-period records.\n\n"
        "A typical path: [bold]simulate[/] or your own table → [bold]check[/] → [bold]train[/] → "
        "[bold]export[/] → [bold]evaluate[/] → [bold]serve[/]."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("simulate")(simulate.simulate)
app.command("check")(check.check)
app.command("pseudonymize")(pseudonymize.pseudonymize)
app.command("train")(train.train)
app.command("compare")(compare.compare)
app.command("reproduce")(reproduce.reproduce)
app.command("search")(search.search)
app.command("models")(models.models)
app.command("report")(report.report)
app.command("export")(export.export)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(bundle.app, name="bundle")
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("desk")(desk.desk)
app.command("score")(score.score)
app.command("token")(token.token)
app.command("reference")(reference.reference)
app.command("request")(request.request)
app.add_typer(cases.app, name="cases")
app.add_typer(contract.app, name="contract")
app.add_typer(policy.app, name="policy")
app.add_typer(access.app, name="access")


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and the libraries' own logs.")
    ] = False,
) -> None:
    """Hold the options that every command has."""
    if debug:
        os.environ["BELLWETHER_DEBUG"] = "1"
    else:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    switch_off_usage_reports()
    choose_home(os.environ)
    if debug:
        logging.basicConfig(level=logging.DEBUG)
    else:
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")


def run() -> None:
    """Run the command line; an error that the caller can mend is one message and exit code 1."""
    try:
        app()
    except (BellwetherError, OSError) as error:
        if os.environ.get("BELLWETHER_DEBUG"):
            raise
        message = str(error) if isinstance(error, BellwetherError) else _file_fault(error)
        errors.print(Text.assemble(("Error: ", "bold red"), message), soft_wrap=True)
        sys.exit(1)


def _file_fault(error: OSError) -> str:
    """Say what the operating system refused, and on which file."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason.lower()}." if error.filename else f"{reason}."
