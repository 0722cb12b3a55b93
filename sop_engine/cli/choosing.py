"""The command `sop models`: which families of models there are, and which fits a shop."""

from typing import Annotated

import typer

from sop_engine.cli.finding import not_found
from sop_engine.cli.output import AsJson, show, table
from sop_engine.core.families import STAGES, domains, families


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(models)


def models(
    domain: Annotated[str, typer.Option("--domain", help="What the shop does: 电商, 社区 …")] = "",
    stage: Annotated[str, typer.Option("--stage", help="Where the firm stands: startup, growth or mature.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the families of models, to choose one.

    What each divides users by, which domain it is made for, and how hard it is to keep (1 to 5), with the tiers of the shipped
    library. RFM is recency, frequency, money.

    \b
    Examples:
      sop models --domain 社区
      sop models --stage startup
    """
    if stage and stage not in {*STAGES, *STAGES.values()}:
        raise not_found(stage, STAGES, "stage")
    found = families(domain, stage)
    if not found and domain and not families(domain):
        raise not_found(domain, domains(), "domain")
    rows = [
        [f.name, "、".join(f.dimensions), "、".join(f.domains), str(f.complexity), ", ".join(f.stages), "、".join(f.tiers)] for f in found
    ]
    show(found, as_json, table(rows, head=["model", "divides by", "domain", "complexity", "stage", "tiers"], right=(3,)))
