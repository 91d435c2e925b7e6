"use strict";
(() => {
  const root = document.documentElement;
  const DARK = JSON.parse(document.getElementById("dark").textContent);
  const NARROW = 560;
  const views = new Map();

  // Charts: one specification, whose colours are exchanged where the theme is dark.

  const tinted = (node) => {
    if (typeof node === "string") return DARK[node] ?? node;
    if (Array.isArray(node)) return node.map(tinted);
    if (node === null || typeof node !== "object") return node;
    const part = ([key, value]) => [key, key === "data" ? value : tinted(value)];
    return Object.fromEntries(Object.entries(node).map(part));
  };

  // Tables come as columns, because the names of columns are half of a table of rows.
  const rowed = ({ data, ...layer }) => {
    if (!data?.columns) return { data, ...layer };
    const row = (_, i) => {
      const varied = Object.entries(data.columns).map(([name, held]) => [name, held[i]]);
      return { ...data.constant, ...Object.fromEntries(varied) };
    };
    return { data: { values: Array.from({ length: data.rows }, row) }, ...layer };
  };

  const isNarrow = (place) => place.clientWidth < NARROW;

  const draw = async (figure) => {
    const place = figure.querySelector(".live");
    let spec = JSON.parse(figure.querySelector("[data-spec]").textContent);
    spec.layer = spec.layer.map(rowed);
    if (root.dataset.theme === "dark") spec = tinted(spec);
    const narrow = isNarrow(place);
    figure.dataset.narrow = narrow;
    if (narrow) {
      const legend = { ...spec.config.legend, orient: "bottom", columns: 3, offset: 8,
        titleOrient: "top", rowPadding: 2,
        layout: { bottom: { anchor: "start", direction: "vertical", margin: 6 } } };
      const axis = { ...spec.config.axis, labelFontSize: 11, titleFontSize: 11.5 };
      spec = { ...spec, height: Math.min(spec.height, 300), config: { ...spec.config, legend, axis } };
      for (const { encoding } of spec.layer) {
        if (encoding.x?.title) encoding.x.title = encoding.x.title.split(/(?<=,) /);
      }
    }
    const found = await vegaEmbed(place, spec, {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
      tooltip: showTip,
    });
    views.get(figure)?.finalize();
    views.set(figure, found);
    figure.querySelector(".tools").hidden = false;
    figure.classList.add("drawn");
  };

  const drawAll = () => Promise.all([...document.querySelectorAll("figure[data-figure]")].map(
    (figure) => draw(figure).catch((error) => {
      figure.classList.add("failed");  // the still picture stands in its place
      console.error(error);
    })));

  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      for (const [figure] of views) {
        const narrow = String(isNarrow(figure.querySelector(".live")));
        if (narrow !== figure.dataset.narrow) draw(figure);
      }
    }, 150);
  });

  // The tooltip: names and values as text, never as markup.

  const tip = document.getElementById("tip");
  const showTip = (handler, event, item, value) => {
    if (value === null || value === undefined || value === "") { tip.hidden = true; return; }
    const pairs = typeof value === "object" ? Object.entries(value) : [["", value]];
    tip.replaceChildren(...pairs.map(([name, said]) => {
      const line = document.createElement("div");
      const label = document.createElement("span");
      const text = document.createElement("b");
      label.textContent = name;
      text.textContent = said;
      line.append(label, text);
      return line;
    }));
    tip.hidden = false;
    const { clientX: x, clientY: y } = event.touches?.[0] ?? event;
    const box = tip.getBoundingClientRect();
    const left = x + 16 + box.width > innerWidth ? x - box.width - 16 : x + 16;
    const top = y + 16 + box.height > innerHeight ? y - box.height - 16 : y + 16;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, top)}px`;
  };
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
  addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });

  // A chart as a file.

  document.addEventListener("click", async (event) => {
    const kind = event.target.closest?.("[data-save]")?.dataset.save;
    if (!kind) return;
    const figure = event.target.closest("figure");
    const link = document.createElement("a");
    link.href = await views.get(figure).view.toImageURL(kind, 2);
    link.download = `kleiber-${figure.dataset.figure}.${kind}`;
    link.click();
  });

  // The theme.

  const toggle = document.getElementById("theme");
  const other = () => (root.dataset.theme === "dark" ? "light" : "dark");
  const named = () => { toggle.textContent = other() === "dark" ? "Dark theme" : "Light theme"; };
  const themed = (theme) => { root.dataset.theme = theme; named(); drawAll(); };
  toggle.hidden = false;
  named();
  toggle.addEventListener("click", () => {
    themed(other());
    try { localStorage.setItem("kleiber-theme", root.dataset.theme); } catch { /* not kept */ }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
    let kept = null;
    try { kept = localStorage.getItem("kleiber-theme"); } catch { /* none */ }
    if (!kept) themed(event.matches ? "dark" : "light");
  });

  // Tables that sort: the rows of the first table and of the one behind it are one list.

  const tables = [...document.querySelectorAll("table.sortable")];
  const bodies = tables.map((table) => table.tBodies[0]);
  const sizes = bodies.map((body) => body.rows.length);
  const order = new Intl.Collator(undefined, { numeric: true });
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v ?? cell.textContent.replace("−", "-");
  };
  const sort = (column, down) => {
    const rows = bodies.flatMap((body) => [...body.rows]);
    const sign = down ? -1 : 1;
    const text = column === 0;
    const keyed = rows.map((row) => [text ? key(row, column) : Number(key(row, column)), row]);
    keyed.sort(([a], [b]) => sign * (text ? order.compare(a, b) : a - b));
    let from = 0;
    bodies.forEach((body, i) => {
      body.replaceChildren(...keyed.slice(from, from + sizes[i]).map(([, row]) => row));
      from += sizes[i];
    });
    for (const table of tables) {
      [...table.tHead.rows[0].cells].forEach((head, i) => {
        if (i === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
    }
  };
  for (const table of tables) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        sort(column, head.getAttribute("aria-sort") === "ascending");
      });
    });
  }

  // On paper everything is open.

  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details:not([open])")) {
      one.open = true;
      one.dataset.closed = "";
    }
  });
  addEventListener("afterprint", () => {
    for (const one of document.querySelectorAll("details[data-closed]")) {
      one.open = false;
      delete one.dataset.closed;
    }
  });

  drawAll().then(() => { root.dataset.drawn = "yes"; });
})();
