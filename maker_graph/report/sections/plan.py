"""What was planned, beside what happened."""

from collections.abc import Mapping
from typing import Any

from maker_graph.report.collecting import ReportData
from maker_graph.report.sections.html import NOT_RECORDED, escaped, missing, section
from maker_graph.report.wording import NOTHING, chance, count, dollars, number, percent, with_interval


def plan_section(data: ReportData) -> str:
    """Return the section that compares the plan with what happened."""
    plan, settings, truth, spent = data.plan, data.settings, data.truth, data.spent
    certificate: Mapping[str, Any] = data.certificate or {"rho": None, "chance": None}
    if plan is None:
        return section("Planned and actual", missing(f"What was planned: nothing, or {NOT_RECORDED}."))
    steps, samples = max(data.steps, 1), max(spent.samples, data.samples)
    planned = plan.get("samples")
    flags = sum(data.flags.values()) / max(data.samples, 1)
    cost = f"${data.list_price or 0:,.2f} at list price, none spent" if settings.simulated else dollars(spent.cost)
    rows = [
        ("Lead that decides", number(plan.get("k")), f"{settings.k}"),
        (
            "Valid samples that are right",
            number(plan.get("p")),
            percent(1 - truth.wrong_votes / truth.votes) + ("" if truth.known else ", by the decided answers")
            if truth.votes
            else NOTHING,
        ),
        ("Correlation within a step", number(plan.get("rho")), with_interval(certificate["rho"])),
        (
            "Chance of no error",
            chance(plan.get("p_full")),
            NOTHING if certificate["chance"] is None or certificate.get("refused") else chance(certificate["chance"]["value"]),
        ),
        ("Samples", count(planned), f"{samples:,}"),
        (
            "Samples a step",
            f"{planned / data.total:.2f}" if planned and data.total else NOTHING,
            f"{data.samples / steps:.2f}",
        ),
        ("Samples flagged", NOTHING, percent(flags)),
        ("Cost", dollars(plan.get("cost_usd")), cost),
    ]
    body = "".join(f"<tr><th scope='row'>{name}</th><td>{escaped(a)}</td><td>{escaped(b)}</td></tr>" for name, a, b in rows)
    model = plan.get("model_of_errors")
    return section(
        "Planned and actual",
        f"<p class='lead'>Planned with this model of errors: {escaped(model)}.</p>" if model else "",
        "<div class='scroll'><table><thead><tr><th></th><th scope='col'>planned</th><th scope='col'>actual</th></tr></thead>"
        f"<tbody>{body}</tbody></table></div>",
        "" if data.done else missing("The plan is for the whole task, of which a part is done."),
    )
