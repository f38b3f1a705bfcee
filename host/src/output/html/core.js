"use strict";
// Scales, axes and the reading of charts by pointer and keyboard.

const svgSpace = "http://www.w3.org/2000/svg";

function add(parent, tag, attributes, text) {
  const element = document.createElementNS(svgSpace, tag);
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  if (text !== undefined) element.textContent = text;
  parent.appendChild(element);
  return element;
}

// Three significant digits, thousands grouped: 0.0123, 4.56, 123, 12,345.
function shown(value) {
  if (value === null || value === undefined || !isFinite(value)) return "—";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en-GB");
  if (size === 0) return "0";
  return String(Number(value.toPrecision(3)));
}

function short(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return Number((value / 1e6).toPrecision(3)) + "M";
  if (size >= 1e4) return Number((value / 1e3).toPrecision(3)) + "k";
  return String(Number(value.toPrecision(4)));
}

function linear(low, high, from, to) {
  if (high <= low) high = low + (Math.abs(low) || 1);
  const scale = (value) => from + (value - low) / (high - low) * (to - from);
  scale.ticks = (most) => {
    const rough = (high - low) / Math.max(1, most), power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough * 0.999) || rough;
    const out = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) out.push(Number((i * step).toPrecision(12)));
    return out;
  };
  return scale;
}

function logarithmic(low, high, from, to) {
  if (high <= low) { low /= 1.3; high = low * 1.7; }
  const a = Math.log(low), b = Math.log(high);
  const scale = (value) => from + (Math.log(Math.max(value, low * 1e-9)) - a) / (b - a) * (to - from);
  scale.ticks = (most) => {
    if (high / low < 12) return linear(low, high, 0, 1).ticks(most);
    const out = [];
    for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) {
      for (const n of [1, 2, 5]) {
        const value = Number((n * 10 ** e).toPrecision(3));
        if (value >= low * 0.999 && value <= high * 1.001) out.push(value);
      }
    }
    const whole = out.filter((value) => Math.abs(Math.log10(value) % 1) < 1e-6);
    return out.length > most && whole.length >= 2 ? whole : out;
  };
  return scale;
}

// An empty plot with axes. `x` and `y` are {low, high, log, title, ticks: optional [[value, text]]}.
function frame(holder, height, x, y, said) {
  holder.replaceChildren();
  const width = holder.clientWidth, left = y.hidden ? 4 : 46, right = 12, top = 14, bottom = 34;
  const picture = add(holder, "svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": said });
  const make = (axis, from, to) => (axis.log ? logarithmic : linear)(axis.low, axis.high, from, to);
  const across = make(x, left, width - right), up = make(y, height - bottom, top);
  const ticks = (axis, scale, most) => axis.ticks || scale.ticks(most).map((value) => [value, short(value)]);
  if (!y.hidden) {
    for (const [value, text] of ticks(y, up, Math.max(2, Math.floor(height / 48)))) {
      add(picture, "line", { x1: left, x2: width - right, y1: up(value), y2: up(value), class: "gridline" });
      add(picture, "text", { x: left - 6, y: up(value) + 4, "text-anchor": "end" }, text);
    }
    add(picture, "text", { x: 2, y: 8 }, y.title);
  }
  let last = -Infinity;
  for (const [value, text] of ticks(x, across, Math.max(2, Math.floor(width / 90)))) {
    const at = across(value);
    if (at - last < text.length * 6.5 + 8) continue;
    last = at;
    add(picture, "line", { x1: at, x2: at, y1: height - bottom, y2: height - bottom + 4, class: "axisline" });
    add(picture, "text", { x: Math.min(at, width - right - text.length * 2), y: height - bottom + 16, "text-anchor": "middle" }, text);
  }
  add(picture, "line", { x1: left, x2: width - right, y1: height - bottom, y2: height - bottom, class: "axisline" });
  add(picture, "text", { x: width - right, y: height - 3, "text-anchor": "end" }, x.title);
  return { holder, picture, across, up, left, right: width - right, top, bottom: height - bottom, width, height };
}

// Lets a reader go over `points`, [{x, y, text}] in pixels, with the pointer or the arrow keys.
function explore(plot, points) {
  if (!points.length) return;
  const { holder, picture } = plot;
  picture.setAttribute("tabindex", "0");
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("role", "status");
  holder.parentElement.querySelectorAll(":scope > .tip").forEach((old) => old.remove());
  holder.parentElement.appendChild(tip);
  const cursor = add(picture, "circle", { r: 6, class: "cursor", visibility: "hidden" });
  let at = -1;
  const show = (index) => {
    at = index;
    const point = points[index];
    cursor.setAttribute("cx", point.x);
    cursor.setAttribute("cy", point.y);
    cursor.setAttribute("visibility", "visible");
    tip.textContent = point.text;
    tip.hidden = false;
    const scale = holder.clientWidth / plot.width;
    const x = Math.min(Math.max(point.x * scale - tip.offsetWidth / 2, 0), Math.max(0, holder.clientWidth - tip.offsetWidth));
    const y = point.y * scale - tip.offsetHeight - 12;
    tip.style.left = `${holder.offsetLeft + x}px`;
    tip.style.top = `${holder.offsetTop + (y < -20 ? point.y * scale + 14 : y)}px`;
  };
  const hide = () => { tip.hidden = true; cursor.setAttribute("visibility", "hidden"); };
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect(), scale = plot.width / box.width;
    const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
    let best = 0, least = Infinity;
    points.forEach((point, index) => {
      const far = (point.x - x) ** 2 + ((point.y - y) * (point.flat ? 0.15 : 1)) ** 2;
      if (far < least) { least = far; best = index; }
    });
    show(best);
  });
  picture.addEventListener("pointerleave", hide);
  picture.addEventListener("focus", () => { if (picture.matches(":focus-visible")) show(Math.max(at, 0)); });
  picture.addEventListener("blur", hide);
  picture.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 1, ArrowDown: -1, Home: -points.length, End: points.length }[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    show(Math.min(points.length - 1, Math.max(0, at + step)));
  });
}

const drawings = [];

// Draws whatever has got room since, such as the charts of a panel that was hidden.
function drawShown() { drawings.forEach((again) => again()); }

// Draws now if there is room, and again whenever the width changes.
function keepDrawn(holder, draw) {
  let width = 0;
  const again = () => {
    if (holder.clientWidth > 0 && holder.clientWidth !== width) { width = holder.clientWidth; draw(); }
  };
  new ResizeObserver(again).observe(holder);
  drawings.push(again);
  again();
  return () => { width = 0; again(); };
}
