// Keeps pages up to date, and draws plots so that they can be read off.
// Without it all pages work: the server draws the plots, and a reload brings them up to date.
"use strict";

(() => {
  const now = document.getElementById("now");
  const status = document.getElementById("said");
  let said = null;

  // Replaces what has changed, and nothing else: what is being read, is selected, was
  // opened or scrolled stays.
  function show(html) {
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    const olds = [...now.firstElementChild.children];
    const news = [...fresh.content.firstElementChild.children];
    const focused = now.contains(document.activeElement);
    if (olds.length !== news.length) {
      now.replaceChildren(fresh.content);
    } else {
      olds.forEach((old, place) => replace(old, news[place]));
    }
    // What had the focus may be gone, such as a button that is not needed any more.
    if (focused && document.activeElement === document.body) document.querySelector("main").focus();
  }

  function replace(old, fresh) {
    if (old.tagName === "DETAILS") fresh.open = old.open;
    if (old.outerHTML === fresh.outerHTML) return;
    const selection = document.getSelection();
    const selected = !selection.isCollapsed && selection.containsNode(old, true);
    const regions = old.matches("[role=region]") || old.querySelector("[role=region]");
    if (selected || (regions && old.contains(document.activeElement))) return;
    const left = old.scrollLeft;
    old.replaceWith(fresh);
    fresh.scrollLeft = left;
  }

  // Told to whoever listens to the page, and only if it is another than before.
  function say(text) {
    if (said !== null && text !== said) status.textContent = text;
    said = text;
  }

  function listen(ended) {
    const source = new EventSource(now.dataset.live);
    source.onmessage = (event) => {
      const told = JSON.parse(event.data);
      show(told.html);
      say(told.said);
      if (told.last) ended(source);
    };
    // It comes back by itself, unless it is refused.
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) ended(source, true);
    };
    return source;
  }

  function keepUpToDate() {
    const pause = document.createElement("button");
    pause.type = "button";
    pause.className = "pause";
    let source = null;
    const name = () => { pause.textContent = source ? "Pause updates" : "Resume updates"; };
    const ended = (of, refused) => {
      of.close();
      if (refused) {
        source = null;
        name();
        status.textContent = "Updates have ended.";
        return;
      }
      if (document.activeElement === pause) document.querySelector("main").focus();
      pause.remove();
    };
    const turn = () => {
      source?.close();
      source = source ? null : listen(ended);
      name();
    };
    pause.addEventListener("click", turn);
    window.addEventListener("pagehide", () => source?.close());
    document.querySelector("h1").after(pause);
    turn();
  }

  if (now?.dataset.live && window.EventSource) keepUpToDate();

  for (const command of document.querySelectorAll("pre.command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${command.innerText}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(command.innerText);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    if (navigator.clipboard) command.after(button);
  }

  const history = document.getElementById("history");
  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function human(value) {
    const units = ["", "k", "M", "G", "T", "P"];
    let unit = 0;
    while (Math.abs(value) >= 1000 && unit < units.length - 1) {
      value /= 1000;
      unit += 1;
    }
    return `${+value.toPrecision(3)}${units[unit]}`;
  }

  function draw(figure, samples) {
    const wanted = figure.dataset.series.split(",").map((each) => each.split(":"));
    const valueOf = ({ counts }, [, , counted, per]) => {
      const count = counts[counted] || 0;
      return per ? (counts[per] ? count / counts[per] : null) : count;
    };
    const place = figure.querySelector(".drawn");
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 } };
    const lines = wanted.map(([label, style], index) => ({
      label,
      stroke: colour(`--${style}`),
      spanGaps: false,
      width: 2,
      dash: [[], [6, 3], [2, 3]][index],
      value: (_, value) => (value == null ? "-" : human(value)),
    }));
    const data = [
      samples.map((sample) => sample.at),
      ...wanted.map((line) =>
        samples.map((sample) => (sample.gap ? null : valueOf(sample, line)))),
    ];
    const options = {
      width: place.clientWidth,
      height: 220,
      series: [{}, ...lines],
      axes: [axis, { ...axis, size: 60, values: (_, ticks) => ticks.map(human) }],
    };
    place.replaceChildren();
    figure.querySelector(".legend")?.remove(); // the plot has one with values
    return new uPlot(options, data, place);
  }

  async function drawAll() {
    const answer = await fetch(`/api/v1/history?span=${history.dataset.span}`);
    if (!answer.ok) return;
    const { samples: counted, step } = await answer.json();
    if (counted.length < 2) return;
    // Where steps are missing nobody counted: there is no line.
    const samples = counted.flatMap((sample, place) => {
      const before = counted[place - 1];
      const misses = before && sample.at - before.at > 1.5 * step;
      return misses ? [{ at: before.at + step, gap: true }, sample] : [sample];
    });
    const figures = [...history.querySelectorAll("figure")];
    let plots = figures.map((figure) => draw(figure, samples));
    const again = () => {
      plots.forEach((plot) => plot.destroy());
      plots = figures.map((figure) => draw(figure, samples));
    };
    window.addEventListener("resize", again);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  }

  if (history && window.uPlot) drawAll();
})();
