// Draws every plot in the page's own colours, and again when the colour scheme changes.
(() => {
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  const paper = window.matchMedia("print");

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Where a plot gives marks a colour of their own, it names one of the page's.
  const coloured = (key, value) =>
    typeof value === "string" && value.startsWith("--") ? color(value) : value;

  const look = () => {
    const font = getComputedStyle(document.body).fontFamily;
    const narrow = document.body.clientWidth < 480;
    const text = { labelColor: color("--soft"), titleColor: color("--soft"), labelFont: font, titleFont: font, titleFontWeight: "normal" };
    return {
      background: "transparent",
      view: { stroke: null },
      axis: { ...text, gridColor: color("--line"), domainColor: color("--line"), tickColor: color("--line"), labelFontSize: 11, titleFontSize: 12 },
      axisY: { labelLimit: narrow ? 130 : 260 },
      legend: { direction: narrow ? "vertical" : "horizontal", ...text, labelColor: color("--text"), labelFontSize: 12, symbolSize: 80, symbolOpacity: 1 },
      text: { color: color("--text"), font },
      rule: { color: color("--soft") },
      point: { color: color("--first") },
      bar: { color: color("--first") },
      line: { color: color("--first") },
      range: { category: ["--first", "--second", "--third", "--fourth", "--fifth"].map(color) },
    };
  };

  // On a narrow screen the names of runs go over several lines.
  const folded = (spec) => {
    const named = (spec.layer ?? []).filter((layer) => layer.encoding?.y?.field === "run" && layer.encoding.y.axis !== null);
    for (const layer of named) {
      layer.encoding.y.axis = { labelExpr: "split(datum.label, ', ')", labelLineHeight: 12 };
    }
    return named.length ? { ...spec, height: 1.5 * spec.height } : spec;
  };

  const draw = () => {
    const config = look();
    const narrow = document.body.clientWidth < 480;
    for (const figure of document.querySelectorAll("figure")) {
      const spec = JSON.parse(figure.querySelector("script").textContent, coloured);
      const options = { actions: false, renderer: "svg", config };
      const plot = figure.querySelector(".plot");
      window.vegaEmbed(plot, narrow ? folded(spec) : spec, options).catch((error) => {
        plot.textContent = `This plot could not be drawn: ${error.message}`;
      });
    }
  };

  draw();
  scheme.addEventListener("change", draw);
  paper.addEventListener("change", draw);
  // A plot in a closed part has no width to fit; it is drawn when the part opens.
  document.addEventListener("toggle", () => window.dispatchEvent(new Event("resize")), true);
})();
