// What the page does: the theme, the tabs of the stages, and which chart goes where.

function theme() {
  const button = document.getElementById("theme"), root = document.documentElement;
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const say = () => { button.textContent = dark() ? "☀ Light" : "☾ Dark"; button.setAttribute("aria-label", dark() ? "Use the light theme" : "Use the dark theme"); };
  try { const kept = localStorage.getItem("tickrate-theme"); if (kept) root.dataset.theme = kept; } catch (_) { /* a file may have no storage */ }
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("tickrate-theme", root.dataset.theme); } catch (_) { /* likewise */ }
    say();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", say);
  say();
  button.hidden = false;
}

function tabs() {
  const list = document.getElementById("tabs");
  if (!list) return;
  const buttons = [...list.querySelectorAll("button")], panels = buttons.map((button) => document.getElementById(button.getAttribute("aria-controls")));
  const select = (index, focus) => {
    buttons.forEach((button, at) => { button.setAttribute("aria-selected", String(at === index)); button.tabIndex = at === index ? 0 : -1; });
    panels.forEach((panel, at) => { panel.hidden = at !== index; });
    drawShown();
    if (focus) { buttons[index].focus(); buttons[index].scrollIntoView({ block: "nearest", inline: "nearest" }); }
  };
  buttons.forEach((button, index) => {
    button.addEventListener("click", () => select(index, false));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, Home: -index, End: buttons.length - 1 - index }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      select((index + step + buttons.length) % buttons.length, true);
    });
  });
  list.hidden = false;
  select(Number(list.dataset.first) || 0, false);
}

function sweep(data) {
  const holder = document.getElementById("sweep");
  if (!holder) return;
  const x = document.getElementById("sweep-x"), y = document.getElementById("sweep-y");
  const again = keepDrawn(holder, () => drawSweep(holder, data.sweep, x.value, y.value, data.knee));
  x.addEventListener("change", again);
  y.addEventListener("change", again);
}

function stages(data) {
  document.querySelectorAll("[data-chart]").forEach((holder) => {
    const stage = data.stages[Number(holder.dataset.stage)], what = holder.dataset.what;
    const draw = {
      bars: () => drawBars(holder, stage.bars[what], stage.marks[what] || [], timeNames[what]),
      cells: () => drawCells(holder, stage.cells[what], timeNames[what]),
      flight: () => drawCourse(holder, stage.course, [["in_flight", "in flight", "one"]], "requests"),
      tokens: () => drawCourse(holder, stage.course, [["output_tps", "output", "two"]], "tok/s"),
      ends: () => drawCourse(holder, stage.course, [["completed_rps", "completed", "one"], ["failed_rps", "failed", "bad"]], "req/s"),
      turns: () => drawTurns(holder, stage.conversations.turns),
      lanes: () => drawLanes(holder, stage.conversations.lanes),
    }[holder.dataset.chart];
    keepDrawn(holder, draw);
  });
}

const given = JSON.parse(document.getElementById("data").textContent);
theme();
tabs();
sweep(given);
stages(given);
