"""What each result file shows, in a sentence or a few for docs/evidence.md: figures come from the file."""

from typing import Any

from tests.benchmarks.evidence_tables import percent


def _rules(found: Any, file: str, number: str, agreeing: str) -> str:
    lead, agreed = (found["files"][file]["rules"][rule] for rule in ("ahead by 3", agreeing))
    return (
        f"a lead of 3 decides {percent(lead['decided'])} of the questions, {percent(lead['wrong'])} of them wrongly. "
        f"If {number} samples must agree, {percent(agreed['decided'])} are decided, {percent(agreed['wrong'])} of them wrongly."
    )


def real_votes(found: Any) -> str:
    """Return what the rules show on maths."""
    return f"On maths {_rules(found, 'gsm8k_gpt-4o-mini', 'five', 'ahead by 5 within 5')}"


def real_votes_home(found: Any) -> str:
    """Return what the rules show on 150 dates."""
    return f"On dates {_rules(found, 'dates150', 'eight', 'ahead by 8 within 8')}"


def real_model(found: Any) -> str:
    """Return what temperature does to agreement."""
    cold, hot = (found["sets"][name]["5_of_5"] for name in ("cold", "hot"))
    return (
        f"If five samples agree, they are wrong in {percent(cold['wrong'])} of the cases at temperature .1, and in "
        f"{percent(hot['wrong'])} at temperature 1."
    )


def word_problems_real(found: Any) -> str:
    """Return what a verifier does, beside a plain rule."""
    ways = found["each step by itself"]
    plain, verified = (ways[way] for way in ("ahead by 3", "verified, and ahead by 3"))
    return (
        f"A lead of 3 decides {plain['right']} steps rightly and {plain['wrong']} wrongly; "
        f"with the verifier it is {verified['right']} and {verified['wrong']}."
    )


def curate_real(found: Any) -> str:
    """Return what voting does to prices."""
    rows = found["all rows"]
    single, five = rows["single sample"], rows["5 of 5"]
    return (
        f"Single samples are wrong in {single['wrong']} of {single['decided']} decided rows, "
        f"and five samples that agree are wrong in {five['wrong']} of {five['decided']}."
    )


def emit(found: Any) -> str:
    """Return what two calls did on a real model."""
    one, two = found["real"]["plain"], found["real"]["emit"]
    first, second = (percent(way["right_of_all"]) for way in (one, two))
    return f"Of all samples of the real model, {first} are right if a sample is one call, and {second} if it is two."


def agents(found: Any) -> str:
    """Return what passing does for an agent."""
    one, three = found["k=1"], found["k=3, within=3"]
    return (
        f"Single samples are wrong in {one['wrong']} of {one['messages']} messages. "
        f"If three must agree, {three['wrong']} are wrong and {three['undecided']} go to a person."
    )


def sql_flow_real(found: Any) -> str:
    """Return what a model makes of a task that is too hard for it."""
    flow = found["flow, ahead by 3 within 5, else open"]
    return f"The flow with votes leaves all {flow['open']} questions open, and answers none wrongly."


def chain(found: Any) -> str:
    """Return what passing does for a chain."""
    first, last = found["table"][0], found["table"][-1]
    return (
        f"With a lead of 3, {first['wrong in silence']} of {first['runs']} runs are wrong in silence. "
        f"If eight samples must agree and a stronger model has the rest, {last['wrong in silence']} are."
    )


def million(found: Any) -> str:
    """Return how the run of full length ended."""
    told = found[-1]["verify"]
    return f"Attempt {len(found)} ended with {told['steps']:,} steps and {found[-1]['outcome'].partition(':')[0]}."


def curate(found: Any) -> str:
    """Return what rules that pass do to prices."""
    rows = found["prices"]["all rows"]
    plain, five = rows["voted, ahead by 3"], rows["voted, 5 of 5"]
    return (
        f"Of {plain['rows']:,} prices a lead of 3 decides {plain['wrong']} wrongly. "
        f"If five must agree, {five['wrong']} are wrong and {five['open']} are left open."
    )


def curate_million(found: Any) -> str:
    """Return whether rows are lost."""
    bad, extra = found["wrong_missing_or_displaced_rows"], found["calls"] - found["calls_needed"]
    kills = found["sessions"] - 1
    return f"After {kills} kills {bad} of {found['rows']:,} rows are wrong or missing, and {extra} calls were made twice."


def decompose(found: Any) -> str:
    """Return what splitting does together with votes."""
    kind = "6x6 digits"
    best = {row["asked"]: row["right"] for row in found["rows"] if row["kind"] == kind and row["k"] == 3}
    problems = "Of 100 products of two numbers of 6 digits"
    return f"{problems}, votes get {best['at once']} right if asked at once, and {best['split']} if split."


def word_problems(found: Any) -> str:
    """Return what a verifier does to mistakes in the set-up."""
    ways = found["set-up"]["ways"]
    plain, verified = ways["ahead by 3 within 5"], ways["verified, and ahead by 3 within 5"]
    return (
        f"If equations are set up wrongly, a lead of 3 within 5 votes gets {percent(plain['wrong_share'])} of the problems "
        f"wrong, and {percent(verified['wrong_share'])} with the verifier."
    )


def ledger(found: Any) -> str:
    """Return what votes do to an audit."""
    ways = found["table"]["ways"]
    single, four = ways["program and a single sample"], ways["program and votes, 4 of 4 agree, else open"]
    return f"Single samples make {single['wrong']:g} false findings. If four must agree, there are {four['wrong']:g}."


def app_testing(found: Any) -> str:
    """Return what votes do to tests."""
    key = "false alarms a run of the original"
    single, voted = (found["flaskr"][way][key] for way in ("single", "voted"))
    return f"A run of the sound application gives {single:g} false alarms with single samples, and {voted:g} with votes."


def migrate(found: Any) -> str:
    """Return what votes do to a migration without a check."""
    packages = found["packages"].values()
    voted, passing = (sum(package[f"{way}, without check"]["wrong"] for package in packages) for way in ("voted", "passing"))
    return f"Without a check, votes make {voted} wrong edits and votes that pass make {passing}; with the check there are none."


def sql_flow(found: Any) -> str:
    """Return what correlation does to votes."""
    wrong = [found[kind]["flow, votes ahead by 3"]["wrong"] for kind in ("independent errors", "correlated errors")]
    questions = found["questions"]
    told = f"Votes get {wrong[0]:g} of {questions} questions wrong if errors are independent"
    return f"{told}, and {wrong[1]:g} if they are correlated."


def timeouts(found: Any) -> str:
    """Return whether anything is off in silence."""
    silent = sum("silent" in (row["plan"], row["certificate"]) for row in found["settings"])
    return f"A statement was wrong without a warning in {silent} of {len(found['settings'])} settings."


def items(found: Any) -> str:
    """Return how fast voted items go."""
    row = found["voted"]
    speed = f"{row['items_per_second']:.0f} items a second are decided by votes"
    return f"With a model that takes no time, {speed}. No sample is drawn in vain."


def slices(found: Any) -> str:
    """Return how long it takes to cut a table, and to open a slice of it."""
    cut, one = (found["csv"][way]["cpu_seconds"] for way in ("cut", "slice"))
    rows = f"{found['rows']:,} rows"
    return f"To cut a CSV table of {rows} takes {cut:g} s of one core, and to open one slice of it takes {one:g} s."


def sealing(found: Any) -> str:
    """Return how long it takes to seal a fleet."""
    wrong, seconds = found["wrong_missing_or_displaced_rows"] or "none", found["cpu_seconds_results"]
    taken = f"To seal {found['rows']:,} items takes {seconds:g} s of one core and {found['memory_mb']:g} MB."
    return f"{taken} Of the rows, {wrong} are wrong, missing or in another place."


def sizing(found: Any) -> str:
    """Return how many samples one core drives."""
    row = found["rows"]["http, 1 s, Postgres"]
    return f"One core drives {row['samples_per_cpu_second']:,.0f} samples a second over HTTP, with the journal in Postgres."


def remote(found: Any) -> str:
    """Return how much slower a run in Postgres is."""
    ratios = [row["ratio"] for name, row in found.items() if "in flight" in name]
    start, resume = found["start and end"]["wall_ms"], found["resume"]
    return (
        f"A run in Postgres takes {min(ratios):.2f} to {max(ratios):.2f} times as long as in SQLite. To start and end one "
        f"takes {start['postgres']:.0f} ms (SQLite: {start['sqlite']:.0f}). A machine that has nothing of a run goes on with "
        f"it at step {resume['step']:,} within {max(resume['seconds']):.1f} s."
    )


def journals(found: Any) -> str:
    """Return how fast steps are committed."""
    lite, commits, batched = (
        found["sqlite"],
        found["postgres"]["commits_a_second_by_connections"],
        found["postgres"]["batched_steps_a_second_by_connections"],
    )
    return (
        f"Postgres takes up to {max(commits.values()):,} commits a second (SQLite: {lite['commits_a_second']:,}), and up to "
        f"{max(batched.values()):,} steps a second if a hundred are committed at once (SQLite: "
        f"{lite['batched_steps_a_second']:,})."
    )


def capacity(found: Any) -> str:
    """Return what a step takes."""
    row = found["100 at once"]
    return f"A step takes {row['table_bytes_a_step'] + row['index_bytes_a_step']:.0f} bytes on the disk of Postgres."


def limits(found: Any) -> str:
    """Return how well the limits of a fleet hold."""
    rate, purse = found["rate"], found["purse"]
    most, allowed = rate["most_in_60_s"]
    return (
        f"In the busiest minute {most:,} of {allowed:,.0f} allowed requests were made. Over the whole time "
        f"{100 * rate['used']:.1f} % of the rate was used. Of a purse of {purse['max_calls']:,} calls, {purse['made']:,} were "
        f"made and {purse['counted']:,} were counted."
    )


def fleet(found: Any) -> str:
    """Return what becomes of a fleet under fire."""
    rows = found["campaign"].values()
    events = sum(sum(row["events"].values()) for row in rows)
    lost, twice = (sum(row[name] for row in rows) for name in ("lost", "doubled"))
    median = found["takeover"]["dbos"]["median"]
    return (
        f"Workers were killed or paused, and the database was killed, {events:,} times in all. {lost:,} steps were lost and "
        f"{twice:,} committed twice. With a lease of 3 s another worker had a run after {median:.1f} s (median)."
    )


def partition(found: Any) -> str:
    """Return what is lost when packets are dropped."""
    lost = f"{found['lost'] or 'none'} were lost, and {found['doubled'] or 'none'} committed twice"
    return f"A machine was cut off from Postgres {found['times']} times. Of the steps, {lost}."


def watch(found: Any) -> str:
    """Return what watching costs."""
    row = found["measured"][0]["slower"]
    return f"A watched run is {row['percent']:g} % slower ({row['low']:g} to {row['high']:g})."


def paper(found: Any) -> str:
    """Return how near the formulas come to the paper."""
    rows = [row for row in found["table"] if row["k_min"] is not None]
    same = sum(row["k_min"] == row["k_min_published"] for row in rows)
    off = max(abs(row["off"]) for row in rows)
    return f"{same} of {len(rows)} published values of k agree with the formulas, and all costs agree within {percent(off)}."


def passing(found: Any) -> str:
    """Return how near the formulas come to votes."""
    return f"No share is more than {found['worst_sigma']:g} standard errors from its formula."


def audit(found: Any) -> str:
    """Return how often audits hold."""
    least = min(row["coverage"] for row in found["coverage"])
    return f"In each setting the bound holds in at least {percent(least)} of the audits."


def method(found: Any) -> str:
    """Return what votes do without the check."""
    rows = {row["method"]: row["right"] for row in found["methods"]}
    single, voted = (rows[f"{way}, no check"] for way in ("single samples", "ahead by 4"))
    runs = found["runs"]
    return f"With no check of the rules, {single} of {runs} runs have no error with single samples, and {voted} with k = 4."


def noted(found: Any) -> str:
    """Return what is there."""
    return f"{len(found['rows'])} measurements of the vote, of plans, of speed, of crashes, and of traces."
