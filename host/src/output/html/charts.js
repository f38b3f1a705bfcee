// The charts of a stage. Each takes its holder and its part of the data.

const timeNames = { ttft: "TTFT", tpot: "TPOT", itl: "ITL", latency: "Latency" };

// The lower edge of a bin; what is less than a microsecond is in the lowest.
const from = (edge) => edge <= 0.001 ? "0" : shown(edge);

// How a time is distributed, with its median and 99th percentile.
function drawBars(holder, bars, marks, name) {
  const { edges, counts, log } = bars, most = Math.max(...counts), total = counts.reduce((a, b) => a + b, 0);
  const said = `${name}: ${total} values from ${from(edges[0])} to ${shown(edges[edges.length - 1])} ms` +
    marks.map(([label, value]) => `, ${label} ${shown(value)} ms`).join("");
  const plot = frame(holder, 210, { low: edges[0], high: edges[edges.length - 1], log, title: log ? "ms, logarithmic" : "ms" },
    { low: 0, high: most * 1.06, title: "values" }, said);
  const points = counts.map((count, bar) => {
    const x = plot.across(edges[bar]), end = plot.across(edges[bar + 1]), y = plot.up(count);
    if (count) add(plot.picture, "rect", { x: x + 0.5, y: Math.min(y, plot.bottom - 1), width: Math.max(1, end - x - 1), height: Math.max(1, plot.bottom - y), rx: 1.5, class: "fone" });
    return { x: (x + end) / 2, y, flat: true, text: `${from(edges[bar])} – ${shown(edges[bar + 1])} ms\n${count} values, ${shown(count / total * 100)} %` };
  });
  const at = marks.map(([, value]) => plot.across(value));
  marks.forEach(([label], mark) => {
    const x = at[mark], next = at[mark + 1] ?? Infinity;
    add(plot.picture, "line", { x1: x, x2: x, y1: plot.top, y2: plot.bottom, class: "mark" });
    // To the right of its line, unless the next line or the edge is in the way.
    const left = next - x < 30 || (x > plot.right - 26 && !(x - at[mark - 1] < 60));
    add(plot.picture, "text", { x: x + (left ? -3 : 3), y: plot.top + 8, class: "label", "text-anchor": left ? "end" : "start" }, label);
  });
  explore(plot, points.filter((_, bar) => counts[bar]));
}

// How the distribution changed over time.
function drawCells(holder, map, name) {
  const { edges, cells, columns, column_s: width } = map, most = cells.reduce((a, cell) => Math.max(a, cell[2]), 1);
  const plot = frame(holder, 230, { low: 0, high: columns * width, title: "s since the stage began" },
    { low: edges[0], high: edges[edges.length - 1], log: true, title: "ms" },
    `${name} over ${shown(columns * width)} s, from ${from(edges[0])} to ${shown(edges[edges.length - 1])} ms`);
  const points = cells.map(([column, row, count]) => {
    const x = plot.across(column * width), end = plot.across((column + 1) * width);
    const y = plot.up(edges[row + 1]), foot = plot.up(edges[row]);
    const level = 3 + Math.round(6 * Math.log(count) / Math.log(Math.max(most, 12)));
    add(plot.picture, "rect", { x, y, width: Math.max(1, end - x - 0.4), height: Math.max(1, foot - y - 0.4), class: `h${level}` });
    return { x: (x + end) / 2, y: (y + foot) / 2, text: `${shown(column * width)} – ${shown((column + 1) * width)} s\n${from(edges[row])} – ${shown(edges[row + 1])} ms\n${count} values` };
  });
  explore(plot, points);
}

// What went on over time: one row of the course as an area with a line.
function drawCourse(holder, given, rows, unit) {
  // Columns of a few requests each would show nothing but chance.
  const wide = Math.ceil(given[rows[0][0]].length / 64), step = given.column_s * wide, course = {};
  for (const [row] of rows) {
    course[row] = [];
    for (let from = 0; from < given[row].length; from += wide) {
      course[row].push(given[row].slice(from, from + wide).reduce((a, b) => a + b, 0) / wide);
    }
  }
  const length = course[rows[0][0]].length;
  const most = Math.max(1e-9, ...rows.flatMap(([row]) => course[row]));
  const plot = frame(holder, 170, { low: 0, high: length * step, title: "s since the stage began" }, { low: 0, high: most * 1.08, title: unit },
    rows.map(([row, name]) => `${name}: at most ${shown(Math.max(...course[row]))} ${unit}`).join("; "));
  for (const [row, , colour] of rows) {
    const values = course[row];
    if (!values.some((value) => value > 0)) continue;
    let path = "";
    values.forEach((value, at) => { path += `${at ? "L" : "M"}${plot.across((at + 0.5) * step).toFixed(1)} ${plot.up(value).toFixed(1)}`; });
    const ends = `L${plot.across((length - 0.5) * step).toFixed(1)} ${plot.bottom}L${plot.across(step / 2).toFixed(1)} ${plot.bottom}Z`;
    add(plot.picture, "path", { d: path + ends, class: `f${colour} area` });
    add(plot.picture, "path", { d: path, class: `line ${colour}` });
  }
  explore(plot, course[rows[0][0]].map((value, at) => ({
    x: plot.across((at + 0.5) * step), y: plot.up(value), flat: true,
    text: `${shown(at * step)} – ${shown((at + 1) * step)} s\n` + rows.map(([row, name]) => `${name}: ${shown(course[row][at])} ${unit}`).join("\n"),
  })));
}

// TTFT by the position of the turn in its conversation.
function drawTurns(holder, turns) {
  const drawn = turns.filter((turn) => turn.p50_ttft_ms !== null);
  if (!drawn.length) { holder.textContent = "No TTFT was measured."; return; }
  const most = Math.max(...drawn.map((turn) => turn.p90_ttft_ms));
  const plot = frame(holder, 220, { low: 0.5, high: drawn[drawn.length - 1].turn + 0.5, title: "turn", ticks: drawn.map((turn) => [turn.turn, String(turn.turn)]) },
    { low: 0, high: most * 1.08, title: "TTFT, ms" }, `TTFT of ${drawn.length} turns`);
  const line = (field, colour) => add(plot.picture, "path", { class: `line ${colour}`, d: drawn.map((turn, at) => `${at ? "L" : "M"}${plot.across(turn.turn)} ${plot.up(turn[field])}`).join("") });
  line("p90_ttft_ms", "two");
  line("p50_ttft_ms", "one");
  for (const turn of drawn) {
    add(plot.picture, "circle", { cx: plot.across(turn.turn), cy: plot.up(turn.p90_ttft_ms), r: 3, class: "ftwo" });
    add(plot.picture, "circle", { cx: plot.across(turn.turn), cy: plot.up(turn.p50_ttft_ms), r: 3.5, class: "fone" });
  }
  explore(plot, drawn.map((turn) => ({
    x: plot.across(turn.turn), y: plot.up(turn.p50_ttft_ms), flat: true,
    text: `turn ${turn.turn}: ${turn.requests} requests\np50 ${shown(turn.p50_ttft_ms)} ms, p90 ${shown(turn.p90_ttft_ms)} ms\n${shown(turn.avg_input_tokens)} input tokens` +
      (turn.cached_percent === null ? "" : `, ${shown(turn.cached_percent)} % cached`),
  })));
}

// The first conversations as lanes: each turn a bar, its wait for the first token lighter.
function drawLanes(holder, lanes) {
  const spans = lanes.flatMap(([, turns]) => turns), row = 13;
  const end = Math.max(1e-9, ...spans.map((span) => span.to_s));
  const plot = frame(holder, lanes.length * row + 50, { low: 0, high: end, title: "s since the stage began" },
    { low: 0, high: lanes.length, hidden: true }, `${lanes.length} conversations, a row each`);
  const points = [];
  lanes.forEach(([id, turns], lane) => {
    const y = plot.top + lane * row;
    for (const turn of turns) {
      const x = plot.across(turn.from_s), first = plot.across(turn.first_token_s ?? turn.to_s), last = plot.across(turn.to_s);
      add(plot.picture, "rect", { x, y, width: Math.max(1, first - x), height: row - 4, class: turn.ok ? "h3" : "fbad" });
      if (turn.first_token_s !== null) add(plot.picture, "rect", { x: first, y, width: Math.max(1, last - first), height: row - 4, class: turn.ok ? "fone" : "fbad" });
      points.push({ x: (x + last) / 2, y: y + row / 2 - 2, text: `${id}, turn ${turn.turn + 1}${turn.ok ? "" : ", failed"}\nsent at ${shown(turn.from_s)} s, took ${shown(turn.to_s - turn.from_s)} s` });
    }
  });
  explore(plot, points);
}

// Latency against throughput or load, stage by stage, with error bars and the knee.
function drawSweep(holder, sweep, xName, yName, knee) {
  const get = (stage, name) => stage.figures[name];
  const drawn = sweep.map((stage, index) => ({ stage, index, x: get(stage, xName), y: get(stage, yName) })).filter((point) => point.x && point.y);
  // A search does not go from load to load in their order.
  const load = (point) => get(point.stage, "load")?.value ?? Infinity;
  drawn.sort((a, b) => load(a) - load(b) || a.index - b.index);
  if (!drawn.length) { holder.textContent = "Neither was measured."; return; }
  const ends = (value) => [value.low ?? value.value, value.high ?? value.value];
  const titles = document.getElementById("data-titles") ? JSON.parse(document.getElementById("data-titles").textContent) : {};
  const xs = drawn.flatMap((point) => ends(point.x)), ys = drawn.flatMap((point) => ends(point.y));
  const spread = Math.max(...xs) / Math.max(1e-9, Math.min(...xs)) > 40 && xName === "load";
  const x = { low: spread ? Math.min(...xs) * 0.85 : 0, high: Math.max(...xs) * (spread ? 1.2 : 1.08), log: spread, title: titles[xName] || xName };
  const steep = Math.max(...ys) / Math.max(1e-9, Math.min(...ys)) > 25;
  const y = { low: steep ? Math.min(...ys) * 0.8 : 0, high: Math.max(...ys) * (steep ? 1.3 : 1.12), log: steep, title: `${titles[yName] || yName}${steep ? ", logarithmic" : ""}` };
  const plot = frame(holder, 340, x, y, `${y.title} against ${x.title}, ${drawn.length} stages`);
  const at = (point) => [plot.across(point.x.value), plot.up(point.y.value)];
  add(plot.picture, "path", { class: "line one", d: drawn.map((point, index) => `${index ? "L" : "M"}${at(point).join(" ")}`).join("") });
  const labels = [];
  for (const point of drawn) {
    const [cx, cy] = at(point), [left, right] = ends(point.x).map(plot.across), [low, high] = ends(point.y).map(plot.up);
    add(plot.picture, "line", { x1: left, x2: right, y1: cy, y2: cy, class: "error one" });
    add(plot.picture, "line", { x1: cx, x2: cx, y1: low, y2: high, class: "error one" });
    add(plot.picture, "circle", { cx, cy, r: 4.5, class: "fone" });
    const text = point.index === knee ? `${point.stage.label} · knee` : point.stage.label;
    if (point.index === knee) add(plot.picture, "circle", { cx, cy, r: 9, class: "ring" });
    const length = text.length * 6.6 + 4, near = cx > plot.right - length - 14, begin = near ? cx - 11 - length : cx + 11;
    labels.push({ text, near, cx, cy, begin, end: begin + length, first: point.index === knee });
  }
  // A label that would lie over another is left out; the knee's is never.
  const placed = [];
  for (const label of [...labels.filter((one) => one.first), ...labels.filter((one) => !one.first)]) {
    if (placed.some((other) => label.begin < other.end && other.begin < label.end && Math.abs(label.cy - other.cy) < 14)) continue;
    placed.push(label);
    add(plot.picture, "text", { x: label.cx + (label.near ? -11 : 11), y: label.cy - 9, class: "label", "text-anchor": label.near ? "end" : "start" }, label.text);
  }
  explore(plot, drawn.map((point) => {
    const [cx, cy] = at(point);
    const range = (name, value) => `${titles[name] || name}: ${shown(value.value)}` + (value.low === null ? "" : ` (${shown(value.low)} – ${shown(value.high)})`);
    return { x: cx, y: cy, text: `${point.stage.name}${point.index === knee ? ", the knee" : ""}\n${range(xName, point.x)}\n${range(yName, point.y)}` };
  }));
}
