"""``curtilage review``: one comment for a pull request."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curtilage.errors import ConfigError
from curtilage.output import print_json, stdout
from curtilage.review.judge import judge
from curtilage.review.markdown import COMMENT_LIMIT, render
from curtilage.review.model import Review
from curtilage.review.plans import Planned, read_plans
from curtilage.review.redact import Redactor, secrets_of
from curtilage.review.strike import strike

app = typer.Typer()


@app.command("review", epilog="Example: curtilage review --old plans/main --new plans/pull-request > comment.md")
def review(
    old: Annotated[Path | None, typer.Option("--old", metavar="DIR|FILE", help="Plans before: previews or exported states, JSON.")] = None,
    new: Annotated[Path | None, typer.Option("--new", metavar="DIR|FILE", help="Plans after.")] = None,
    base: Annotated[str | None, typer.Option("--base", metavar="REVISION", help="Preview this git revision as before.")] = None,
    head: Annotated[str, typer.Option("--head", metavar="REVISION", help="Preview this git revision as after; with --base.")] = "HEAD",
    region: Annotated[list[str] | None, typer.Option("--region", help="Only these regions; default: all.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=2000, help="The longest comment, in bytes.")] = COMMENT_LIMIT,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of markdown.")] = False,
) -> None:
    """Compare the plans of every region and print one markdown comment: severity, egress delta, policies, proof, plan digest.

    The egress delta is decided by SMT over the old and the new plan at once. Ends with 0 when policies and proof of every new plan PASS,
    1 on a FAIL, 3 where something is not proved, 2 when a plan cannot be read.
    """
    before, after = _sides(old, new, base, head, tuple(region or ()))
    if region:
        unknown = sorted(set(region) - {*before, *after})
        if unknown:
            raise ConfigError(f"region '{unknown[0]}'", rule="a region named has a plan on one side", fix="name one that has")
        before, after = ({name: plan for name, plan in side.items() if name in region} for side in (before, after))
    found = judge(before, after)
    redactor = Redactor(set().union(*(secrets_of(plan.document) for side in (before, after) for plan in side.values())))
    if json_output:
        print_json(redactor.everything(found.document()))
    else:
        stdout.file.write(comment(found, redactor, limit))
    raise typer.Exit(found.verdict.exit_code)


def comment(found: Review, redactor: Redactor, limit: int = COMMENT_LIMIT) -> str:
    """The markdown with secrets struck; struck first by value, so that escaping cannot hide one."""
    return redactor.text(render(strike(found, redactor), limit=limit))


def _sides(
    old: Path | None, new: Path | None, base: str | None, head: str, names: tuple[str, ...]
) -> tuple[dict[str, Planned], dict[str, Planned]]:
    if base is not None:
        if old or new:
            raise ConfigError("--base with --old or --new", rule="plans come from files or from revisions", fix="drop one")
        from curtilage.review.revisions import preview_revision

        return preview_revision(base, names), preview_revision(head, names)
    if old is None or new is None:
        raise ConfigError(
            "no --old or no --new",
            rule="a review compares two sides",
            fix="give both as files or directories (an empty state stands for nothing), or --base REVISION",
        )
    return read_plans(old), read_plans(new)
