"use strict";
(() => {
  const POLL = 1000;
  const MINUTES = 60;
  const SVG = "http://www.w3.org/2000/svg";
  const $ = (id) => document.getElementById(id);

  // Elements. Text goes in as text, never as markup.

  const filled = (made, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const el = (name, attributes = {}, ...children) => filled(document.createElement(name), attributes, children);
  const draw = (name, attributes = {}, ...children) =>
    filled(document.createElementNS(SVG, name), attributes, children);

  // A table that stays one for screen readers when a narrow screen lays it out as blocks.
  const ROLES = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
  const HEADS = { col: "columnheader", row: "rowheader", rowgroup: "rowheader" };
  const withRoles = (table) => {
    for (const part of [table, ...table.querySelectorAll("thead, tbody, tr, th, td")]) {
      part.setAttribute("role", ROLES[part.tagName] ?? HEADS[part.getAttribute("scope")]);
    }
    return table;
  };
  const heads = (names) =>
    el("thead", {}, el("tr", {}, ...names.map((name) => el("th", { scope: "col" }, name))));
  const cell = (label, text, tone = "", wide = "") =>
    el("td", { "data-label": label, class: wide }, el("span", { class: tone }, text));

  // Numbers

  const whole = (number) => number.toLocaleString("en");
  const time = (millis) => {
    if (millis === null) return "–";
    if (millis < 10) return `${millis.toFixed(1)}\u00a0ms`;
    if (millis < 1000) return `${Math.round(millis)}\u00a0ms`;
    if (millis < 60000) return `${(millis / 1000).toFixed(2)}\u00a0s`;
    return `${(millis / 60000).toFixed(1)}\u00a0min`;
  };
  const usd = (millionths) => {
    if (millionths === null) return "–";
    const dollars = millionths / 1e6;
    const places = dollars === 0 || dollars >= 100 ? 0 : dollars >= 1 ? 2 : dollars >= 0.01 ? 4 : 6;
    return `$${dollars.toFixed(places)}`;
  };
  const percent = (part, all) => (all === 0 ? "–" : `${((100 * part) / all).toFixed(part === 0 ? 0 : 1)} %`);
  const clock = (text) => new Date(text).toLocaleTimeString("en-GB");
  const words = (name) => name.replaceAll("_", " ");
  const span = (seconds) => {
    if (seconds < 120) return `${seconds}\u00a0s`;
    if (seconds < 7200) return `${Math.floor(seconds / 60)}\u00a0min`;
    if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} d`;
  };

  // Plots: a bar a minute, 10 wide, on a field of 100

  const bars = (from, to, most, least = 1.5) => {
    let path = "";
    for (let minute = 0; minute < MINUTES; minute += 1) {
      if (!(to[minute] > from[minute])) continue;
      const low = 100 - (100 * from[minute]) / most;
      const high = Math.min(100 - (100 * to[minute]) / most, low - least);
      path += `M${minute * 10 + 1} ${low.toFixed(1)}V${high.toFixed(1)}h8V${low.toFixed(1)}z`;
    }
    return path;
  };
  const add = (one, other) => one.map((value, minute) => value + other[minute]);
  const zero = Array(MINUTES).fill(0);

  // What each plot shows: series from below, each from what to what; how its numbers read; its sum.
  const PLOTS = [
    {
      title: "Exchanges",
      keys: [["calm", "answered or refused"], ["warn", "fell back"], ["bad", "failed"]],
      series: (hour) => {
        const failed = hour.failed;
        const fell = add(failed, hour.fallbacks);
        return [["bad", zero, failed], ["warn", failed, fell], ["calm", fell, hour.exchanges.map((all, at) => Math.max(all, fell[at]))]];
      },
      read: (value) => `${whole(Math.ceil(value))} a minute`,
      sum: (sum) => [whole(sum.exchanges), `${whole(sum.failed)} failed`],
    },
    {
      title: "Fallback rate",
      keys: [["warn", "of exchanges that asked a target"]],
      series: (hour) => [["warn", zero, hour.fallbacks.map((some, at) => (hour.asked[at] ? (100 * some) / hour.asked[at] : 0))]],
      read: (value) => `${value.toFixed(value < 10 ? 1 : 0)} %`,
      sum: (sum) => [percent(sum.fallbacks, sum.asked), `${whole(sum.fallbacks)} of ${whole(sum.asked)}`],
    },
    times("Time to first token", "first_token"),
    times("Held before the first byte", "held"),
    {
      title: "Cost",
      keys: [["calm", "delivered"], ["bad", "thrown away"]],
      series: (hour) => [["calm", zero, hour.delivered], ["bad", hour.delivered, add(hour.delivered, hour.wasted)]],
      read: (value) => `${usd(value)} a minute`,
      sum: (sum) => [usd(sum.delivered + sum.wasted), `${usd(sum.wasted)} thrown away`],
    },
  ];

  function times(title, name) {
    const known = (column) => column.map((value) => value ?? 0);
    return {
      title,
      keys: [["calm", "median"], ["faint", "95th percentile"]],
      series: (hour) => {
        const [half, most] = [known(hour[name].p50), known(hour[name].p95)];
        return [["faint", half, most], ["calm", zero, half]];
      },
      read: time,
      sum: (sum) => [time(sum[`${name}_p50`]), `95th: ${time(sum[`${name}_p95`])}`],
    };
  }

  const key = ([tone, text]) => el("span", {}, el("span", { class: `key ${tone}` }), text);

  const plots = PLOTS.map((plot) => {
    const figure = {
      number: el("p"),
      most: el("span"),
      svg: draw("svg", { viewBox: "0 0 600 100", preserveAspectRatio: "none", role: "img" }),
    };
    const foot = el("span", {}, ...plot.keys.flatMap((one) => [key(one), " "]));
    $("plots").append(
      el(
        "figure", {},
        el("figcaption", {}, el("h3", {}, plot.title), figure.number),
        figure.svg,
        el("div", { class: "axis" }, el("span", {}, "1 h ago"), figure.most, el("span", {}, "now")),
        el("div", { class: "axis" }, foot),
      ),
    );
    return (hour) => {
      const series = plot.series(hour);
      const most = Math.max(...series.flatMap(([, , to]) => to));
      const [number, more] = plot.sum(hour.sum);
      figure.number.replaceChildren(number, " ", el("small", {}, more));
      figure.most.textContent = most > 0 ? `top: ${plot.read(most)}` : "";
      figure.svg.setAttribute("aria-label", `${plot.title}, a bar a minute: ${number}, ${more} in the hour`);
      const paths = series.map(([tone, from, to]) => draw("path", { class: `fill-${tone}`, d: bars(from, to, most || 1) }));
      figure.svg.replaceChildren(...paths);
    };
  });

  const errors = el("ol", { class: "errors" });
  const errorsSum = el("p");
  $("plots").append(
    el("figure", {}, el("figcaption", {}, el("h3", {}, "Errors by reason"), errorsSum), errors),
  );
  const drawErrors = (hour) => {
    const all = hour.errors.reduce((sum, error) => sum + error.total, 0);
    errorsSum.textContent = whole(all);
    const most = Math.max(1, ...hour.errors.flatMap((error) => error.minutes));
    const shown = hour.errors.slice(0, 6);
    const rest = hour.errors.slice(6).reduce((sum, error) => sum + error.total, 0);
    const rows = shown.map((error) =>
      el(
        "li", {},
        el("span", {}, words(error.reason)),
        draw("svg", { viewBox: "0 0 600 100", preserveAspectRatio: "none", "aria-hidden": "true" },
          draw("path", { class: "fill-bad", d: bars(zero, error.minutes, most, 14) })),
        el("b", {}, whole(error.total)),
      ),
    );
    if (rest > 0) rows.push(el("li", {}, el("span", {}, "other reasons"), el("span"), el("b", {}, whole(rest))));
    errors.replaceChildren(...(rows.length ? rows : [el("li", {}, el("span", { class: "quiet" }, "none"))]));
  };

  const drawMinutes = (hour) => {
    if (!$("minutes").open) return;
    const rows = [];
    for (let at = MINUTES - 1; at >= 0; at -= 1) {
      if (hour.exchanges[at] === 0) continue;
      const ago = MINUTES - 1 - at;
      rows.push(
        el(
          "tr", {},
          el("th", { scope: "row" }, ago === 0 ? "this minute" : `${ago} min ago`),
          cell("Exchanges", whole(hour.exchanges[at])),
          cell("Fell back", percent(hour.fallbacks[at], hour.asked[at])),
          cell("Failed", whole(hour.failed[at])),
          cell("First token", `${time(hour.first_token.p50[at])} / ${time(hour.first_token.p95[at])}`, "", "wide"),
          cell("Held", `${time(hour.held.p50[at])} / ${time(hour.held.p95[at])}`, "", "wide"),
          cell("Cost", usd(hour.delivered[at])),
          cell("Thrown away", usd(hour.wasted[at])),
        ),
      );
    }
    const names = ["Minute", "Exchanges", "Fell back", "Failed", "First token, median / 95th", "Held, median / 95th", "Cost", "Thrown away"];
    const table = el("table", {}, el("caption", {}, "The last hour by minute"), heads(names), el("tbody", {}, ...rows));
    $("minutes").lastElementChild.replaceChildren(withRoles(table));
  };

  // Routes

  const TONES = { closed: "good", half_open: "warn", open: "bad" };
  let routesShown = "";

  const targetRow = (target) => {
    const shut = target.shut_for_ms === null ? "" : `, ${span(Math.ceil(target.shut_for_ms / 1000))} left`;
    const last = target.last_failure;
    return el(
      "tr", target.answers ? { class: "answers" } : {},
      el("td", { class: "name" }, target.target),
      cell("Tier", String(target.tier)),
      cell("Answers now", target.answers ? "yes" : "no", target.answers ? "good" : "quiet"),
      cell("Breaker", words(target.breaker) + shut, TONES[target.breaker]),
      cell("In flight", whole(target.in_flight)),
      cell("First token", time(target.first_token_ms)),
      cell("Last failure", last ? `${words(last.reason)}, ${clock(last.at)}` : "–", "", "wide"),
    );
  };

  const drawRoutes = (data) => {
    const told = JSON.stringify(data.routes);
    if (told === routesShown) return;
    routesShown = told;
    const groups = data.routes.map((route) => {
      const name = route.variant === null ? route.name : `${route.name} · ${route.variant}`;
      const head = el("tr", {}, el("th", { scope: "rowgroup", colspan: "7" }, name));
      return el("tbody", {}, head, ...route.targets.map((target) => targetRow(target)));
    });
    const names = ["Target", "Tier", "Answers now", "Breaker", "In flight", "First token", "Last failure"];
    const table = el("table", {}, el("caption", {}, "Routes and their targets"), heads(names), ...groups);
    $("routes").replaceChildren(withRoles(table));
    const chosen = $("route").value;
    const routes = [...new Set(data.routes.map((route) => route.name))];
    const options = routes.map((name) => el("option", { value: name }, name));
    if ($("route").options.length !== options.length + 1 || options.some((one, at) => one.value !== $("route").options[at + 1].value)) {
      $("route").replaceChildren(el("option", { value: "" }, "all routes"), ...options);
      $("route").value = routes.includes(chosen) ? chosen : "";
    }
  };

  // Exchanges

  const tone = (attempt) => (attempt.delivered ? (attempt.error ? "warn" : "good") : attempt.error ? "bad" : "quiet");

  const timeline = (kept) => {
    const ends = kept.attempts.map((attempt) => attempt.begin_ms + attempt.total_ms);
    const all = Math.max(kept.total_ms, ...ends, 1);
    const x = (millis) => ((1000 * millis) / all).toFixed(1);
    const height = kept.attempts.length * 12 || 12;
    const svg = draw("svg", {
      class: "bars", viewBox: `0 0 1000 ${height}`, height, preserveAspectRatio: "none", role: "img",
      "aria-label": `${kept.attempts.length} attempts in ${time(kept.total_ms)}`,
    });
    kept.attempts.forEach((attempt, at) => {
      const y = at * 12 + 1;
      svg.append(
        draw("rect", { class: "ground", x: 0, y, width: 1000, height: 10 }),
        draw("rect", {
          class: `fill-${tone(attempt)}`, x: x(attempt.begin_ms), y, height: 10,
          width: Math.max(4, (1000 * attempt.total_ms) / all).toFixed(1),
        }),
      );
      if (attempt.first_token_ms !== null) {
        svg.append(draw("rect", { class: "token", x: x(attempt.begin_ms + attempt.first_token_ms), y: y + 2, width: 2, height: 6 }));
      }
    });
    if (kept.commit_ms !== null) {
      svg.append(draw("rect", { class: "fill-mark", x: x(Math.min(kept.commit_ms, all * 0.997)), y: 0, width: 3, height }));
    }
    return svg;
  };

  const attemptRow = (attempt, at) =>
    el(
      "tr", {},
      el("th", { scope: "row" }, `${at + 1}. ${attempt.target}`),
      cell("Kind", attempt.kind),
      cell("Began", time(attempt.begin_ms)),
      cell("First token", time(attempt.first_token_ms)),
      cell("Took", time(attempt.total_ms)),
      cell("Cost", usd(attempt.cost_micro_usd)),
      cell("End", attempt.error ? words(attempt.error) : attempt.delivered ? "delivered" : "given up", tone(attempt)),
    );

  const exchange = (kept) => {
    const route = (kept.route ?? "no route") + (kept.variant ? ` · ${kept.variant}` : "");
    const targets = kept.attempts.map((attempt) => attempt.target).filter((name, at, all) => name !== all[at - 1]);
    const names = ["Attempt", "Kind", "Began", "First token", "Took", "Cost", "End"];
    const table = el("table", {}, el("caption", {}, "Attempts"), heads(names), el("tbody", {}, ...kept.attempts.map(attemptRow)));
    const bad = kept.outcome !== "served";
    const more = kept.more_attempts ? `, and ${kept.more_attempts} more attempts` : "";
    const commit = kept.commit_ms === null ? "nothing was sent of an answer" : `first byte to the client after ${time(kept.commit_ms)}`;
    return el(
      "li", {},
      el(
        "details", {},
        el(
          "summary", {},
          el(
            "span", { class: "line" },
            el("time", { datetime: kept.time, class: "quiet" }, clock(kept.time)),
            el("b", {}, route),
            el("span", { class: bad ? "bad" : "warn" }, `${bad ? `${words(kept.outcome)}: ` : ""}${words(kept.reason ?? "no reason told")}`),
            el("span", { class: "total" }, time(kept.total_ms)),
          ),
          el("span", { class: "quiet" }, targets.join(" → ") || "no target was asked"),
          ...(kept.attempts.length ? [timeline(kept)] : []),
        ),
        ...(kept.attempts.length ? [withRoles(table)] : []),
        el("p", { class: "note" }, `${commit}${more}; request ${kept.request_id}`),
      ),
    );
  };

  // New ones go on top, and what is open or has the focus stays as it is.
  const shown = { rescued: new Map(), failed: new Map() };
  const drawExchanges = (name, list) => {
    const known = shown[name];
    const names = list.map((kept) => `${kept.time} ${kept.request_id}`);
    for (const [id, item] of known) {
      if (names.includes(id)) continue;
      item.remove();
      known.delete(id);
    }
    for (let at = list.length - 1; at >= 0; at -= 1) {
      if (known.has(names[at])) continue;
      const item = exchange(list[at]);
      known.set(names[at], item);
      $(name).prepend(item);
    }
    $(name).previousElementSibling.hidden = list.length > 0;
  };

  $("legend").append(
    ...[["good", "delivered"], ["bad", "failed"], ["quiet", "given up"], ["warn", "broke after the first byte"], ["mark", "first byte to the client"]].map(key),
    el("span", {}, "a notch: the first token"),
  );

  // The head

  const drawFacts = (data) => {
    const facts = [
      ["state", data.readiness, data.readiness === "ready" ? "good" : "warn"],
      ["in flight", whole(data.in_flight), ""],
      ["up", span(data.up_seconds), ""],
      ["configuration", `${data.generation}${data.reload_refused ? ", the last reload was refused" : ""}`, data.reload_refused ? "bad" : ""],
      ["version", data.version, ""],
    ];
    if (data.store_failing) facts.push(["store", "failing", "bad"]);
    $("facts").replaceChildren(
      ...facts.map(([name, text, tone]) => el("div", {}, el("dt", {}, name), el("dd", { class: tone }, text))),
    );
  };

  const say = (text, bad) => {
    if ($("state").textContent !== text) $("state").textContent = text;
    $("state").classList.toggle("bad", bad);
  };

  // Asking: once a second, and not at all while nobody looks

  let data = null;
  let timer = 0;
  let asked = 0;
  const isPaused = () => $("pause").getAttribute("aria-pressed") === "true";

  const show = () => {
    drawFacts(data);
    plots.forEach((plot) => plot(data.hour));
    drawErrors(data.hour);
    drawMinutes(data.hour);
    drawRoutes(data);
    drawExchanges("rescued", data.rescued);
    drawExchanges("failed", data.failed);
  };

  const ask = async () => {
    clearTimeout(timer);
    const turn = (asked += 1);
    try {
      const route = $("route").value;
      const path = route === "" ? "page.json" : `page.json?route=${encodeURIComponent(route)}`;
      const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const told = await answer.json();
      if (turn !== asked) return;
      data = told;
      show();
      say(isPaused() ? `Paused at ${clock(data.now)}.` : "Live: looks every second.", false);
    } catch (error) {
      if (turn !== asked) return;
      say(`No answer from segue${data ? `; this is as of ${clock(data.now)}` : ""}.`, true);
    }
    if (!isPaused() && !document.hidden) timer = setTimeout(ask, POLL);
  };

  $("pause").addEventListener("click", () => {
    const paused = !isPaused();
    $("pause").setAttribute("aria-pressed", String(paused));
    if (!paused) ask();
    else {
      clearTimeout(timer);
      say(`Paused${data ? ` at ${clock(data.now)}` : ""}.`, false);
    }
  });
  $("route").addEventListener("change", ask);
  $("minutes").addEventListener("toggle", () => data && drawMinutes(data.hour));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else if (!isPaused()) ask();
  });
  ask();
})();
