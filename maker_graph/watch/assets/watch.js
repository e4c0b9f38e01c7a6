"use strict";
// The page of `maker-graph watch`. All content of a run is shown as text (`textContent`), never as markup, and the server's policy
// refuses other scripts. Elements are changed in place, so that a reader loses neither the focus nor what was typed.
(() => {
  const token = new URLSearchParams(location.search).get("token") ?? "";
  const byId = (id) => document.getElementById(id);
  const runs = new Map(); // key -> what the list of runs shows
  let chosen = null; // the key of the run that is shown
  let detail = null; // the details of that run
  let shown = null; // the part of the page that shows it
  let stream = null;
  const typed = new Map(); // run and question -> the answer that was typed; kept after the field is gone

  // ------------------------------------------------------------------------------------------------------------ elements

  const make = (name, settings = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(settings)) {
      if (key === "class") element.className = value;
      else if (key === "text") element.textContent = value;
      else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  };

  const say = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  // Give `parent` one child for each of `items`, by their keys. Children that are there already are changed, not made anew.
  const keep = (parent, items, keyOf, create, change) => {
    const known = new Map(Array.from(parent.children, (child) => [child.dataset.key, child]));
    let place = parent.firstElementChild;
    for (const item of items) {
      const key = String(keyOf(item));
      let child = known.get(key);
      if (child === undefined) {
        child = create(item);
        child.dataset.key = key;
      }
      known.delete(key);
      if (child === place) place = place.nextElementSibling;
      else parent.insertBefore(child, place);
      change(child, item);
    }
    for (const child of known.values()) child.remove();
  };

  const number = (value) => value.toLocaleString("en");
  const money = (value) => `$${value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: value < 1 ? 4 : 2 })}`;
  const plural = (value, one, more) => `${number(value)} ${value === 1 ? one : more}`;
  const duration = (seconds) => {
    if (seconds < 60) return `${Math.round(seconds)} s`;
    for (const [size, name, small, smaller] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]]) {
      if (seconds >= size) return `${Math.floor(seconds / size)} ${name} ${Math.floor((seconds % size) / small)} ${smaller}`;
    }
    return "";
  };

  // -------------------------------------------------------------------------------------------------------------- states

  const STATES = {
    "at work": ["at work", "good"],
    waits: ["waits for you", "wait"],
    done: ["done", "good"],
    stuck: ["stuck: waits for you", "wait"],
    limit: ["stopped at a limit", "wait"],
    provider: ["stopped: the provider failed", "bad"],
    interrupted: ["interrupted", "wait"],
    failed: ["failed", "bad"],
    stopped: ["stopped", "wait"],
    died: ["its process died", "bad"],
    gone: ["gone", "bad"],
    older: ["an older copy", "bad"],
    damaged: ["damaged", "bad"],
    unreadable: ["cannot be read", "bad"],
  };
  const stateOf = (run) => STATES[run.state] ?? [run.state, ""];
  const title = (run) => (run.state === "done" && run.asks ? "done, with open items" : stateOf(run)[0]);
  const kind = (run) => (run.state === "done" && run.asks ? "wait" : stateOf(run)[1]);
  const share = (run) => (run.total ? Math.min(100, (100 * run.steps) / run.total) : 0);
  const far = (run) => (run.steps === null ? "" : run.total ? `${number(run.steps)} of ${number(run.total)}` : number(run.steps));

  const ENDED = new Set(["died", "failed", "provider", "gone", "older", "damaged", "unreadable"]);

  // ---------------------------------------------------------------------------------------------------------- list of runs

  const listed = () => {
    keep(
      byId("runs"),
      [...runs],
      ([key]) => key,
      ([key]) => {
        const button = make(
          "button",
          { type: "button", onclick: () => choose(key) },
          make("strong"),
          make("span", { class: "mark" }),
          make("div", { class: "meter", "aria-hidden": "true" }, make("i")),
          make("span", { class: "far" }),
        );
        return make("li", {}, button);
      },
      (row, [key, run]) => {
        const [name, mark, meter, count] = row.firstElementChild.children;
        say(name, run.name);
        say(mark, title(run));
        mark.className = `mark ${kind(run)}`;
        meter.firstElementChild.style.width = `${share(run)}%`;
        say(count, far(run));
        row.firstElementChild.setAttribute("aria-current", String(key === chosen));
      },
    );
    byId("none").hidden = runs.size > 0;
    document.title = chosen && runs.has(chosen) ? `${runs.get(chosen).name}: ${title(runs.get(chosen))}` : "maker_graph: runs";
  };

  // --------------------------------------------------------------------------------------------------------- pieces of a run

  const tile = (name) => {
    const value = make("span");
    const more = make("small");
    const box = make("div", {}, make("dt", { text: name }), make("dd", {}, value, more));
    return { box, tell: (text, small = "") => { say(value, text); say(more, small); } };
  };

  const section = (name, ...children) => make("section", { "aria-label": name }, make("h2", { text: name }), ...children);

  const bars = (list, entries) => {
    const most = Math.max(1, ...entries.map(([, value]) => value));
    keep(
      list,
      entries,
      ([name]) => name,
      () => make("li", {}, make("span"), make("div", { "aria-hidden": "true" }, make("i")), make("b")),
      (row, [name, value]) => {
        const [text, bar, count] = row.children;
        say(text, name);
        bar.firstElementChild.style.width = `${(100 * value) / most}%`;
        say(count, number(value));
      },
    );
  };

  const ballot = (rows, word) => {
    const votes = rows.reduce((sum, row) => sum + row.votes, 0) || 1;
    return rows.map((row, place) => {
      const line = make(
        "li",
        {},
        make("b", { text: String.fromCharCode(65 + place) }),
        make("span", { text: number(row.votes) }),
        make("span", {}, make("code", { text: row.candidate }), ...(row.won ? [make("em", { text: word })] : [])),
      );
      line.style.setProperty("--share", `${(100 * row.votes) / votes}%`);
      return line;
    });
  };

  const BY = { base: "the first vote", person: "a person", program: "the program", world: "the world" };
  const byName = (name) => (Object.hasOwn(BY, name) ? BY[name] : name);

  const decisions = (list, steps) =>
    keep(
      list,
      steps,
      (step) => JSON.stringify(step),
      (step) => {
        const flags = Object.entries(step.flags ?? {}).map(([name, count]) => `${name} ${count}`);
        const told = [
          step.open ? "left open" : step.answered ? "left open, and answered later" : step.by === "base" ? "" : `by ${byName(step.by)}`,
          step.part ? `part ${step.part}` : "",
          step.samples ? plural(step.samples, "sample", "samples") : "",
          flags.length ? `red flags: ${flags.join(", ")}` : "",
          step.flagged ? `${number(step.flagged)} discarded` : "",
          step.proved ? (step.proof ? `proved: ${step.proof}` : "proved") : "",
          step.merged ? "several answers counted as one" : "",
        ];
        return make(
          "li",
          {},
          make("h3", {}, make("span", { text: `Step ${number(step.step)}` }), make("small", { text: told.filter(Boolean).join(" · ") })),
          make("ul", { class: "ballot" }, ...ballot(step.ballot, step.proved ? "proved" : "won")),
        );
      },
      () => {},
    );

  // ----------------------------------------------------------------------------------------------------------- review queue

  const problemOf = async (reply) => {
    try {
      return (await reply.json()).problem ?? `The server answered ${reply.status}.`;
    } catch {
      return reply.status === 403 ? "The token is missing or wrong: open the address that the command printed." : `The server answered ${reply.status}.`;
    }
  };

  const queueOf = (key) => {
    const needs = make("p", { class: "notice wait", hidden: "" });
    const list = make("div");
    const more = make("p", { class: "lead" });
    const box = section("What waits for you", needs, list, more);
    box.hidden = true;
    let asked = null; // the state of the run for which the queue was loaded last
    let timer = null;

    const answer = async (ask, form, reply, candidate) => {
      const [wrong, right] = [form.querySelector(".wrong"), form.querySelector(".right")];
      const field = form.querySelector("textarea");
      const buttons = form.querySelectorAll("button");
      const from = document.activeElement;
      if (buttons[0].disabled) return; // an answer is being sent
      say(wrong, "");
      say(right, "");
      field.removeAttribute("aria-invalid");
      for (const button of buttons) button.disabled = true;
      let problem = "";
      try {
        const got = await fetch(`/runs/${key}/answers`, {
          method: "POST",
          headers: { "Content-Type": "application/json", "X-Token": token },
          body: JSON.stringify({ step: ask.step, reply, candidate, asked: ask.id }),
        });
        if (!got.ok) problem = await problemOf(got);
      } catch {
        problem = "The server does not answer. What you typed is kept here: try again.";
      }
      for (const button of buttons) button.disabled = false;
      if (problem) {
        say(wrong, problem);
        field.setAttribute("aria-invalid", "true");
        field.focus();
        load(); // the question may have changed
        return;
      }
      if (document.activeElement === document.body && form.contains(from)) from.focus();
      taken(form, "");
    };

    const taken = (form, refused) => {
      const run = runs.get(key);
      const goesOn = run && (run.state === "waits" || run.state === "at work");
      say(form.querySelector(".wrong"), refused ? `The run did not take the last answer: ${refused}.` : "");
      say(
        form.querySelector(".right"),
        refused ? "" : goesOn ? "The answer was checked and saved. The run takes it up by itself." : `The answer was checked and saved. To go on with it: maker-graph resume ${detail?.path ?? ""}`,
      );
    };

    const formOf = (ask) => {
      const name = ask.kind === "item" ? `Item ${number(ask.step)}` : `Step ${number(ask.step)}`;
      const id = `answer-${key}-${ask.step}`;
      const kept = `${key} ${ask.id}`;
      const field = make("textarea", { id, "aria-describedby": `${id}-wrong`, spellcheck: "false", autocomplete: "off" });
      const form = make("div", { class: "ask", role: "group", "aria-label": name });
      field.value = typed.get(kept) ?? "";
      field.addEventListener("input", () => typed.set(kept, field.value));
      const send = () => answer(ask, form, field.value, false);
      field.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send();
      });
      const earlier = ask.prompt.slice(0, -1);
      const question = ask.prompt.at(-1);
      const rows = ask.ballot.map((row) => {
        const line = make("li", {}, make("span", { text: number(row.votes) }), make("code", { text: row.candidate }));
        line.style.setProperty("--share", `${(100 * row.votes) / Math.max(1, ask.samples)}%`);
        if (ask.kind === "item" && row.value !== null) {
          const choice = make("button", { type: "button", text: "Take this", onclick: () => answer(ask, form, row.value, true) });
          choice.setAttribute("aria-label", `Take ${row.candidate}`);
          line.append(choice);
        }
        return line;
      });
      const flags = Object.entries(ask.flags).map(([flag, count]) => `${flag} ${count}`);
      form.append(
        make("h3", { text: name }),
        make("p", { class: "lead", text: [ask.reason, plural(ask.samples, "sample", "samples"), flags.length ? `red flags: ${flags.join(", ")}` : ""].filter(Boolean).join(" · ") }),
        ...(earlier.length ? [make("details", {}, make("summary", { text: "The messages before the question" }), ...earlier.map(([, text]) => make("pre", { text, tabindex: "0" })))] : []),
        ...(question ? [make("pre", { text: question[1], tabindex: "0", "aria-label": `The question of ${name.toLowerCase()}` })] : []),
        ...(rows.length ? [make("h3", { text: "Ballot" }), make("ul", { class: "ballot" }, ...rows)] : []),
        ...(ask.replies.length
          ? [
              make(
                "details",
                { open: "" },
                make("summary", { text: "The last replies" }),
                ...ask.replies.flatMap((text) => [
                  make("pre", { text: text || "(empty)", tabindex: "0" }),
                  make("button", { type: "button", text: "Copy into the answer", onclick: () => { field.value = text; typed.set(kept, text); field.focus(); } }),
                ]),
              ),
            ]
          : []),
        make("label", { for: id, text: `Your answer to ${name.toLowerCase()}` }),
        field,
        make("div", { class: "acts" }, make("button", { class: "main", type: "button", text: "Answer", onclick: send }), make("p", { text: "Type what a model would reply. It is read and checked before it is taken. Ctrl+Enter sends it." })),
        make("p", { class: "wrong", id: `${id}-wrong`, role: "alert" }),
        make("p", { class: "right", role: "status" }),
      );
      return form;
    };

    // Change the list. If the focus was in a question that is gone, it moves to the first question, or to the top of the run.
    const changed = (work) => {
      const from = list.contains(document.activeElement) ? document.activeElement.closest(".ask") : null;
      work();
      if (from !== null && !from.isConnected) (list.querySelector("textarea") ?? byId("run")).focus();
    };

    const told = (form, ask) => {
      const now = JSON.stringify([ask.left ?? false, ask.refused ?? ""]);
      if (form.dataset.left === now) return;
      form.dataset.left = now;
      if (ask.left) taken(form, ask.refused);
    };

    const load = async () => {
      timer = null;
      let got = null;
      try {
        const reply = await fetch(`/runs/${key}/queue`, { headers: { "X-Token": token } });
        got = reply.ok ? await reply.json() : { needs: await problemOf(reply), asks: [] };
      } catch {
        asked = null; // the stream shows that the server is gone, and the next news loads the queue again
        return;
      }
      if (key !== chosen) return;
      needs.hidden = !got.needs;
      say(needs, got.needs);
      changed(() => keep(list, got.asks, (ask) => `${ask.id} ${ask.samples} ${ask.prompt.length}`, formOf, told));
      const run = runs.get(key);
      say(more, run && run.asks > got.asks.length ? `${number(run.asks - got.asks.length)} more follow when these are answered.` : "");
      box.hidden = got.asks.length === 0 && !(got.needs && run && run.asks);
    };

    const change = (run) => {
      const now = JSON.stringify([run.asks, run.state, detail?.id, detail?.question, detail?.answers]);
      if (now === asked) return;
      asked = now;
      if (!run.asks) {
        changed(() => list.replaceChildren());
        box.hidden = true;
      } else if (timer === null) {
        timer = setTimeout(load, box.hidden ? 0 : 1000);
      }
    };

    return { box, change };
  };

  // ------------------------------------------------------------------------------------------------------------- one run

  const runOf = (key) => {
    const eyebrow = make("p", { class: "eyebrow" });
    const head = make("h2");
    const badges = make("ul", { class: "badges" });
    const meter = make("div", { class: "meter", role: "progressbar", "aria-label": "Steps decided", "aria-valuemin": "0", "aria-valuemax": "100" }, make("i"));
    const notice = make("p", { class: "notice", role: "alert", hidden: "" });
    const tiles = Object.fromEntries(
      ["Steps", "Rate", "Time left", "Spent", "Samples", "Red flags", "Votes that lost", "Contested"].map((name) => [name, tile(name)]),
    );
    const queue = queueOf(key);
    const pegs = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [name, value] of Object.entries({ viewBox: "0 0 720 246", role: "img", "aria-label": "Three pegs and their disks" })) pegs.setAttribute(name, value);
    const where = make("p", { class: "lead" });
    const pegBox = section("The pegs", where, make("div", { class: "pegs" }, pegs));
    const lists = Object.fromEntries(["flags", "by"].map((name) => [name, make("ul", { class: "bars" })]));
    const noFlags = make("p", { class: "lead", text: "None so far." });
    const flagBox = section("Red flags", noFlags, lists.flags);
    const byBox = section("Decided by", lists.by);
    const recent = make("ol", { class: "decisions" });
    const recentBox = section("The last decisions", recent);
    const contests = make("ol", { class: "decisions" });
    const contestBox = section("The most contested so far", contests);
    const page = make(
      "div",
      {},
      make("div", { class: "about" }, eyebrow, head, badges, meter, notice),
      make("dl", { class: "tiles" }, ...Object.values(tiles).map((one) => one.box)),
      queue.box,
      pegBox,
      make("div", { class: "pair" }, flagBox, byBox),
      make("div", { class: "pair" }, recentBox, contestBox),
    );
    let board = null;
    let disks = 0;

    const top = (run) => {
      say(eyebrow, [run.name, run.task].filter(Boolean).join(" · "));
      say(head, run.steps === null ? run.name : run.total ? `${number(run.steps)} of ${plural(run.total, "step", "steps")}` : plural(run.steps, "step", "steps"));
      const shownBadges = [
        [title(run), kind(run)],
        ...(run.simulated ? [["simulated: no evidence about any real model", "wait"]] : []),
        ...(run.model ? [[run.model, ""]] : []),
        ...(run.rule ? [[run.rule, ""]] : []),
      ];
      keep(badges, shownBadges, ([text]) => text, ([text, look]) => make("li", { text, class: look }), (one, [, look]) => { one.className = look; });
      meter.hidden = !run.total;
      meter.firstElementChild.style.width = `${share(run)}%`;
      meter.setAttribute("aria-valuenow", share(run).toFixed(1));
      const replaced = detail?.replaced ? " The journal was replaced while this page was open, so it was read again from the start." : "";
      const why = run.state === "stuck" ? "" : run.why ?? "";
      const text = why || replaced ? `${why}${replaced}` : "";
      notice.hidden = !text;
      say(notice, text);
      notice.className = `notice ${kind(run)}`;
    };

    const rest = (run) => {
      const d = detail;
      const known = run.steps ? run.steps : 1;
      const behind = d.read < run.steps ? `the journal is being read: ${Math.floor((100 * d.read) / run.steps)} %` : "";
      tiles.Steps.tell(number(run.steps), behind || (run.total ? `${share(run).toFixed(1)} % of ${number(run.total)}` : "the total is not known"));
      tiles.Rate.tell(run.rate === null ? "–" : `${number(run.rate)} / s`, `${duration(d.seconds)} at work${d.sessions > 1 ? `, in ${d.sessions} sessions` : ""}`);
      tiles["Time left"].tell(run.left === null ? "–" : duration(run.left), ago(run));
      const limits = [
        d.max_cost === null ? "" : `limit ${money(d.max_cost)}`,
        d.planned === null ? "" : `planned ${money(d.planned)}`,
        d.expected === null ? "" : `${money(d.expected)} in all at this pace`,
        `${plural(d.calls, "call", "calls")}${d.max_calls === null ? "" : ` of ${number(d.max_calls)}`}`,
        d.max_minutes === null ? "" : `limit ${number(d.max_minutes)} min`,
      ];
      tiles.Spent.tell(run.simulated ? "$0" : d.cost === null ? "not known" : money(d.cost), limits.filter(Boolean).join(" · "));
      tiles.Samples.tell(number(d.samples), `${(d.samples / known).toFixed(2)} a step${d.planned_samples === null ? "" : `, ${number(Math.round(d.planned_samples))} planned`}`);
      const flagged = Object.values(d.flags).reduce((sum, count) => sum + count, 0);
      tiles["Red flags"].tell(number(flagged), `${((100 * flagged) / Math.max(1, d.samples)).toFixed(1)} % of the samples${d.lost ? `; ${number(d.lost)} replies lost` : ""}`);
      tiles["Votes that lost"].tell(number(d.outvoted), `of ${plural(d.votes, "vote", "votes")}`);
      tiles.Contested.tell(number(d.contested), [run.open ? `${number(run.open)} open` : "", d.proved ? `${number(d.proved)} proved` : "", d.answered ? `${number(d.answered)} answered later` : ""].filter(Boolean).join(", ") || "steps with more than one answer");
      pegBox.hidden = d.pegs === null;
      if (d.pegs !== null) {
        if (disks !== d.pegs.at.length) {
          disks = d.pegs.at.length;
          pegs.replaceChildren();
          board = pegBoard(pegs, disks);
        }
        board.put(board.places(d.pegs.at));
        say(where, d.pegs.step ? `After step ${number(d.pegs.step)}.` : "At the start.");
      }
      bars(lists.flags, Object.entries(d.flags));
      noFlags.hidden = flagged > 0;
      bars(lists.by, Object.entries(d.by).map(([name, count]) => [byName(name), count]));
      byBox.hidden = Object.keys(d.by).length === 0;
      decisions(recent, d.recent);
      recentBox.hidden = d.recent.length === 0;
      decisions(contests, d.contests);
      contestBox.hidden = d.contests.length === 0;
    };

    const ago = (run) => (run.moved && run.state === "at work" ? `last step ${duration(Math.max(0, Date.now() / 1000 - run.moved / 1000))} ago` : "");

    const change = () => {
      const run = runs.get(key);
      if (run === undefined) return;
      top(run);
      if (run.steps !== null && detail !== null && detail.recent) rest(run);
      queue.change(run);
    };

    return { page, change, tick: () => {
      const run = runs.get(key);
      if (run && run.left !== undefined) tiles["Time left"].tell(run.left === null ? "–" : duration(run.left), ago(run));
    } };
  };

  // ----------------------------------------------------------------------------------------------------------- what comes in

  const choose = (key, { byHand = true } = {}) => {
    if (key === chosen) return;
    chosen = key;
    detail = null;
    if (byHand) history.replaceState(null, "", `#${key}`);
    shown = runOf(key);
    byId("run").replaceChildren(shown.page);
    listed();
    shown.change();
    listen();
  };

  const announce = (name, before, run) => {
    if (before !== undefined && before.state !== run.state) say(byId("said"), `${name}: ${title(run)}. ${ENDED.has(run.state) ? run.why ?? "" : ""}`);
    else if (before !== undefined && before.asks < run.asks && run.asks) say(byId("said"), `${name}: ${plural(run.asks, "question waits", "questions wait")} for you.`);
  };

  const first = () => {
    const all = [...runs];
    const named = location.hash.slice(1);
    if (runs.has(named)) return named;
    return (all.find(([, run]) => run.asks) ?? all.find(([, run]) => run.state === "at work") ?? all[0] ?? [null])[0];
  };

  const heard = (news) => {
    if (news.all) for (const key of [...runs.keys()]) if (!(key in news.runs)) runs.delete(key);
    for (const [key, run] of Object.entries(news.runs)) {
      announce(run.name, runs.get(key), run);
      runs.set(key, run);
    }
    byId("more").hidden = !news.more;
    say(byId("more"), `${plural(news.more, "older run is", "older runs are")} not shown. To watch one, name it: maker-graph watch RUN`);
    if (news.chosen !== null) detail = news.chosen;
    if (chosen === null || !runs.has(chosen)) {
      const key = first();
      if (key !== null) choose(key, { byHand: false });
    }
    listed();
    if (shown !== null) shown.change();
  };

  const line = (text, look) => {
    say(byId("line"), text);
    byId("line").className = `line ${look}`;
  };

  const listen = () => {
    if (stream !== null) stream.close();
    const asks = new URLSearchParams({ token, ...(chosen === null ? {} : { run: chosen }) });
    const now = new EventSource(`/events?${asks}`);
    stream = now;
    now.addEventListener("open", () => line("live", "good"));
    now.addEventListener("news", (event) => {
      if (now !== stream) return;
      heard(JSON.parse(event.data));
      if (document.hidden) now.close();
    });
    now.addEventListener("error", () => {
      if (now !== stream) return;
      if (now.readyState === EventSource.CLOSED) {
        line("The server refuses this page: open the address that the command printed.", "bad");
        setTimeout(() => { if (now === stream) listen(); }, 5000);
      } else {
        line("not connected: trying again", "bad");
      }
    });
  };

  addEventListener("hashchange", () => {
    if (runs.has(location.hash.slice(1))) choose(location.hash.slice(1), { byHand: false });
  });
  setInterval(() => { if (shown !== null) shown.tick(); }, 1000);
  // A browser opens at most six connections to a server, for all tabs together. So a hidden tab keeps none, and asks now and then.
  document.addEventListener("visibilitychange", () => (document.hidden ? stream.close() : listen()));
  setInterval(() => { if (document.hidden) listen(); }, 15000);
  listen();
})();
