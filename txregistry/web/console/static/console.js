// Keeps the first page up to date, and draws its plots so that they can be read off.
// Without it all pages work: the server draws the plots, and a reload brings them up to date.
"use strict";

(() => {
  const live = document.body.dataset.live;
  const now = document.getElementById("now");

  function update(event) {
    // Whoever reads or operates something in there is not disturbed.
    if (now.contains(document.activeElement)) return;
    now.innerHTML = JSON.parse(event.data).html;
  }

  if (live && now && window.EventSource) {
    const source = new EventSource(live);
    source.onmessage = update;
    window.addEventListener("pagehide", () => source.close());
  }

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
    const place = figure.querySelector(".drawn");
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 } };
    const lines = wanted.map(([label, name], index) => ({
      label,
      stroke: colour(`--${name.replace("_bytes", "")}`),
      width: 2,
      dash: [[], [6, 3], [2, 3]][index],
      value: (_, value) => (value == null ? "-" : human(value)),
    }));
    const data = [
      samples.map((sample) => sample.at),
      ...wanted.map(([, name]) => samples.map((sample) => sample.counts[name] || 0)),
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
    const { samples } = await answer.json();
    if (samples.length < 2) return;
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
