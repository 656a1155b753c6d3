// Keeps the first page up to date, and draws its plots so that they can be read off.
// Without it all pages work: the server draws the plots, and a reload brings them up to date.
"use strict";

(() => {
  const live = document.body.dataset.live;
  const now = document.getElementById("now");

  // Replaces what has changed, and nothing else: what is being read, is selected or was
  // scrolled stays.
  function update(html) {
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    const olds = [...now.firstElementChild.children];
    const news = [...fresh.content.firstElementChild.children];
    if (olds.length !== news.length) {
      now.replaceChildren(fresh.content);
      return;
    }
    const selection = document.getSelection();
    olds.forEach((old, place) => {
      const busy = old.contains(document.activeElement) || selection.containsNode(old, true);
      const selected = busy && (!selection.isCollapsed || old.contains(document.activeElement));
      if (selected || old.outerHTML === news[place].outerHTML) return;
      const left = old.scrollLeft;
      old.replaceWith(news[place]);
      news[place].scrollLeft = left;
    });
  }

  function listen() {
    const source = new EventSource(live);
    source.onmessage = (event) => update(JSON.parse(event.data).html);
    window.addEventListener("pagehide", () => source.close());
    return source;
  }

  if (live && now && window.EventSource) {
    let source = listen();
    const pause = document.createElement("button");
    pause.type = "button";
    pause.textContent = "Pause updates";
    pause.addEventListener("click", () => {
      if (source) {
        source.close();
        source = null;
      } else {
        source = listen();
      }
      pause.textContent = source ? "Pause updates" : "Resume updates";
    });
    document.querySelector("h1").after(pause);
  }

  // An action under way is looked at again by itself, without coming to the page anew.
  async function follow() {
    if (!document.querySelector(".job.running") || !location.pathname.startsWith("/jobs/")) return;
    const answer = await fetch(location.pathname);
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const main = document.querySelector("main");
      if (!main.contains(document.activeElement) || document.activeElement === main) {
        main.replaceChildren(...fresh.querySelector("main").childNodes);
      }
    }
    setTimeout(follow, 1000);
  }
  follow();

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
