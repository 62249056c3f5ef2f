/*
 * Draws a chart with uPlot, and folds away the table that holds the same figures.
 * Needs: data-chart (JSON: type, x, series), data-chart-library, data-chart-style, an element
 * [data-chart-plot] to draw in and a <details> with the table.
 */

const HEIGHT_PX = 280;
const COLOURS = ["--accent", "--dusk-text", "--good", "--gold", "--bad", "--text-muted"];
const GROUP_WIDTH = 0.76;
const LETTER_PX = 7;

let library = null;

function load(figure) {
  library ??= new Promise((resolve, reject) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = figure.dataset.chartStyle;
    const script = document.createElement("script");
    script.src = figure.dataset.chartLibrary;
    script.addEventListener("load", () => resolve(window.uPlot));
    script.addEventListener("error", reject);
    document.head.append(style, script);
  });
  return library;
}

/** A colour of the sheet as the canvas wants it, also where light-dark() chooses it. */
function colour(element, name) {
  const probe = element.appendChild(document.createElement("i"));
  probe.style.color = `var(${name})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** Bars of several series stand side by side within their place on the axis. */
function bars(uPlot, places, place, count) {
  const width = GROUP_WIDTH / count;
  const left = place * width - GROUP_WIDTH / 2;
  return uPlot.paths.bars({
    radius: 0.06,
    disp: {
      x0: { unit: 1, values: () => places.map((at) => at + left) },
      size: { unit: 1, values: () => places.map(() => width) },
    },
  });
}

function options(uPlot, plot, { type, x, series }, isScale, places) {
  const ink = colour(plot, "--text-muted");
  const line = colour(plot, "--line");
  const font = `13px ${getComputedStyle(plot).fontFamily}`;
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const label = (at) => (isScale ? at : (x[at] ?? ""));
  // Every place gets its label as long as there is room for the longest.
  const space = isScale ? 70 : LETTER_PX * (2 + Math.max(...x.map((at) => String(at).length)));
  const room = type === "bar" ? 0.6 : 0.1;
  return {
    width: plot.clientWidth,
    height: HEIGHT_PX,
    legend: { live: true },
    cursor: { points: { size: 7 }, drag: { x: false, y: false } },
    scales: {
      x: isScale ? { time: false } : { time: false, range: () => [-room, x.length - 1 + room] },
      y: { range: (_, low, high) => uPlot.rangeNum(type === "bar" ? Math.min(0, low) : low, high, 0.1, true) },
    },
    axes: [
      { ...axis, grid: { show: false }, space, incrs: isScale ? undefined : [1, 2, 5, 10, 20, 50, 100, 500, 1000],
        values: (_, splits) => splits.map((at) => (Number.isInteger(at) || isScale ? label(at) : "")) },
      { ...axis, size: 64 },
    ],
    series: [
      { label: "", value: (_, at) => (at === null ? "" : label(at)) },
      ...series.map((each, index) => {
        const stroke = colour(plot, COLOURS[index % COLOURS.length]);
        // While nothing is pointed at there is no value to tell.
        const value = (_, at) => at ?? "";
        const shared = { label: each.name, stroke, width: 2, value, points: { show: x.length <= 40 } };
        if (type !== "bar") return shared;
        return { ...shared, width: 0, fill: stroke, points: { show: false }, paths: bars(uPlot, places, index, series.length) };
      }),
    ],
  };
}

export default async function connect(figure) {
  const plot = figure.querySelector("[data-chart-plot]");
  const chart = JSON.parse(figure.dataset.chart);
  const uPlot = await load(figure);
  plot.hidden = false;
  figure.querySelector("details").open = false;
  // Numbers that rise are a scale; anything else stands at equal distances.
  const isScale = chart.type === "line" && chart.x.every((at, i) => typeof at === "number" && (i === 0 || at > chart.x[i - 1]));
  const places = isScale ? chart.x : chart.x.map((_, index) => index);
  const data = [places, ...chart.series.map((each) => each.values)];
  let drawn = null;
  const draw = () => {
    drawn?.destroy();
    drawn = new uPlot(options(uPlot, plot, chart, isScale, places), data, plot);
  };
  draw();
  new ResizeObserver(() => {
    if (plot.clientWidth > 0) drawn.setSize({ width: plot.clientWidth, height: HEIGHT_PX });
  }).observe(plot);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}
