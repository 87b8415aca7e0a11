"use strict";
(() => {
  const L = LightweightCharts;
  const $ = (id) => document.getElementById(id);
  const unpack = (text, Kind) => new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const columns = (packed, whole) =>
    Object.fromEntries(
      Object.entries(packed).map(([k, v]) => [k, unpack(v, whole.includes(k) ? Int32Array : Float32Array)]),
    );
  const { modes, roles } = JSON.parse($("words").textContent);
  const usd = (x, sign) =>
    (x < 0 ? "\u2212" : sign ? "+" : "") +
    Math.abs(x).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: Math.abs(x) < 1 ? 4 : 2 });
  const times = (x) => (x < 0 ? "\u2212" : "+") + Math.abs(x).toFixed(2);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const NAMES = ["card", "soft", "line", "gain", "loss", "kama", "band", "stop", "series", "over"];
  const palette = () => Object.fromEntries(NAMES.map((name) => [name, color(name)]));

  const shown = { bands: true, trades: true, stops: true, refusals: false };
  const KINDS = { enter: "series", exit: "soft", stop: "stop", refused: "over", trip: "stop", release: "gain" };
  const SOME = 300; // candles at first
  const MOST = 6; // sentences at once
  const CROWD = 600; // fills in view from which on they would hide the candles
  let colors = palette();
  let now = null;
  let crowded = false;

  const load = (i) => {
    const raw = JSON.parse($(`chart${i}`).textContent);
    const d = { ...raw, time: unpack(raw.time, Uint32Array) };
    for (const k of ["open", "high", "low", "close", "kama", "atr"]) d[k] = unpack(raw[k], Float32Array);
    d.fills = columns(raw.fills, ["at", "qty", "role"]);
    d.rounds = columns(raw.rounds, ["from", "to", "qty", "mode"]);
    d.levels = columns(raw.levels, ["at"]);
    d.n = d.time.length;
    d.steps = steps(d);
    return d;
  };

  // [from, to, level]: where a stop stood
  const steps = ({ levels, n }) => {
    const found = [];
    levels.at.forEach((at, i) => {
      const to = i + 1 < levels.at.length ? levels.at[i + 1] : n - 1;
      if (levels.stop[i] > 0) found.push([at, to, levels.stop[i]]);
    });
    return found;
  };

  // What to say of a candle: why, what was done, and the trades that it is part of.
  const said = (d, i) => {
    const found = d.marks.filter(([at]) => at === i).map(([, , , text]) => text);
    d.fills.at.forEach((at, j) => { if (at === i) found.push(fill(d.fills, j)); });
    d.rounds.from.forEach((at, j) => { if (at <= i && i <= d.rounds.to[j]) found.push(trade(d.rounds, j)); });
    return found;
  };

  const shares = (qty) => Math.abs(qty).toLocaleString("en-US");

  const fill = ({ qty, price, fee, role }, i) =>
    `${qty[i] > 0 ? "Bought" : "Sold"} ${shares(qty[i])} at ${usd(price[i])}, ${roles[role[i]] ?? "order"},` +
    ` commission ${usd(fee[i])}.`;

  const trade = ({ qty, mode, entry, exit, result, r }, i) =>
    `Trade: ${qty[i] > 0 ? "long" : "short"} ${shares(qty[i])}, ${modes[mode[i]] ?? "own"} mode, ${usd(entry[i])} to` +
    ` ${usd(exit[i])}, ${usd(result[i], true)} USD${Number.isFinite(r[i]) ? ` (${times(r[i])} R)` : ""}.`;

  const clock = (seconds, intraday) =>
    new Date(seconds * 1000).toISOString().slice(0, intraday ? 16 : 10).replace("T", " ");

  const chart = L.createChart($("chart"), {
    autoSize: true, crosshair: { mode: L.CrosshairMode.Normal },
    timeScale: { minBarSpacing: 0.001, enableConflation: true },
  });
  const candles = chart.addSeries(L.CandlestickSeries, { priceLineVisible: false, borderVisible: false });
  const plain = { priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false };
  const kama = chart.addSeries(L.LineSeries, { ...plain, lineWidth: 2 });
  const above = chart.addSeries(L.LineSeries, { ...plain, lineWidth: 1 });
  const under = chart.addSeries(L.LineSeries, { ...plain, lineWidth: 1 });
  const markers = L.createSeriesMarkers(candles, []);
  const drawn = new Boxes(() => ({ now, shown, crowded, colors }));
  candles.attachPrimitive(drawn);

  const paint = () => {
    colors = palette();
    const edge = { borderColor: colors.line };
    chart.applyOptions({
      layout: { background: { color: colors.card }, textColor: colors.soft, attributionLogo: true, fontSize: 12 },
      grid: { vertLines: { color: colors.line }, horzLines: { color: colors.line } },
      rightPriceScale: edge,
      timeScale: edge,
    });
    candles.applyOptions({
      upColor: colors.gain, wickUpColor: colors.gain, downColor: colors.loss, wickDownColor: colors.loss,
    });
    kama.applyOptions({ color: colors.kama, visible: shown.bands });
    above.applyOptions({ color: colors.band, visible: shown.bands });
    under.applyOptions({ color: colors.band, visible: shown.bands });
    if (now) mark();
    drawn.refresh?.();
  };

  const mark = () => {
    const found = [];
    if (shown.trades && !crowded) now.fills.at.forEach((at, i) => {
      const [buys, role] = [now.fills.qty[i] > 0, roles[now.fills.role[i]]];
      found.push({
        at, position: buys ? "belowBar" : "aboveBar", shape: buys ? "arrowUp" : "arrowDown",
        color: role === "entry" ? colors.series : role === "stop" ? colors.stop : colors.soft,
      });
    });
    for (const [at, kind] of now.marks) {
      const loud = kind === "trip" || kind === "release";
      if (crowded && !loud) continue;
      if (kind === "refused" ? !shown.refusals : !shown.trades) continue;
      found.push({ at, position: "aboveBar", shape: loud ? "square" : "circle", size: loud ? 1 : 0.5,
        color: colors[KINDS[kind] ?? "soft"], text: loud ? kind : undefined });
    }
    found.sort((a, b) => a.at - b.at);
    markers.setMarkers(found.map(({ at, ...more }) => ({ time: now.time[at], ...more })));
  };

  const line = (d, reach) =>
    Array.from(d.time, (time, i) => {
      const value = d.kama[i] + (reach ? reach * d.atr[i] : 0);
      return Number.isFinite(value) ? { time, value } : { time };
    });

  const look = (from, to) => chart.timeScale().setVisibleLogicalRange({ from, to });
  const newest = () => look(Math.max(0, now.n - SOME) - 1, now.n + 2);
  const whole = () => look(-1, now.n + 1);

  const show = (i) => {
    now = null;
    const d = load(i);
    chart.applyOptions({ timeScale: { timeVisible: d.intraday, secondsVisible: false } });
    const some = d.close.reduce((a, b) => Math.min(a, b), Infinity);
    const format = some < 1 ? { precision: 4, minMove: 0.0001 } : { precision: 2, minMove: 0.01 };
    candles.applyOptions({ priceFormat: { type: "price", ...format } });
    const pick = (_, j) => ({ time: d.time[j], open: d.open[j], high: d.high[j], low: d.low[j], close: d.close[j] });
    candles.setData(Array.from({ length: d.n }, pick));
    kama.setData(line(d, 0));
    above.setData(line(d, d.band[0]));
    under.setData(line(d, -d.band[1]));
    now = d;
    mark();
    newest();
    tell(d.n - 1, false);
  };

  const told = $("told");
  const paragraph = (text, kind) => {
    const p = document.createElement("p");
    p.textContent = text;
    p.className = kind;
    return p;
  };

  const reading = (d, i) => {
    const [kama, stop] = [d.kama[i] + d.atr[i], d.steps.find(([a, b]) => a <= i && i <= b)];
    return [
      clock(d.time[i], d.intraday),
      ...["open", "high", "low", "close"].map((name) => `${name[0].toUpperCase()} ${usd(d[name][i])}`),
      ...(Number.isFinite(kama) ? [`KAMA ${usd(d.kama[i])}`, `ATR ${usd(d.atr[i])}`] : []),
      ...(stop ? [`stop ${usd(stop[2])}`] : []),
    ].join("  ");
  };

  const tell = (i, aside) => {
    const found = said(now, i);
    const rest = found.length > MOST ? [paragraph(`and ${found.length - MOST} more`, "first")] : [];
    const lines = found.slice(0, MOST).map((text) => paragraph(text, ""));
    told.replaceChildren(paragraph(reading(now, i), "first"), ...lines, ...rest);
    told.classList.toggle("aside", aside);
  };

  chart.subscribeCrosshairMove(({ logical, point }) => {
    if (!now) return;
    const i = point ? Math.min(now.n - 1, Math.max(0, Math.round(logical))) : now.n - 1;
    tell(i, Boolean(point) && point.x < $("chart").clientWidth / 2);
  });

  chart.timeScale().subscribeVisibleLogicalRangeChange((view) => {
    if (!now || !view) return;
    const many = now.fills.at.filter((at) => at >= view.from && at <= view.to).length > CROWD;
    $("crowd").hidden = !many;
    if (many === crowded) return;
    crowded = many;
    mark();
  });

  for (const name of Object.keys(shown)) {
    $(name).checked = shown[name];
    $(name).addEventListener("change", ({ target }) => { shown[name] = target.checked; paint(); });
  }
  $("symbol").addEventListener("change", ({ target }) => show(target.value));
  $("newest").addEventListener("click", newest);
  $("whole").addEventListener("click", whole);
  for (const row of document.querySelectorAll("tr[data-chart]")) {
    row.addEventListener("click", () => {
      const { chart: i, from, to } = row.dataset;
      if ($("symbol").value !== i) { $("symbol").value = i; show(i); }
      const aside = Math.max(20, Number(to) - Number(from));
      look(Number(from) - aside, Number(to) + aside);
      tell(Number(to), false);
      $("chart").scrollIntoView({ block: "center" });
    });
  }

  // Paper gets a picture in light colors, as wide as the paper. Nothing here may move the time scale: while that
  // waits to be drawn, a screenshot never ends (lightweight-charts 5.2.1).
  addEventListener("beforeprint", () => {
    const root = document.documentElement;
    root.classList.add("paper");
    paint();
    const taken = chart.takeScreenshot();
    Object.assign($("shot"), { width: taken.width, height: taken.height }).getContext("2d").drawImage(taken, 0, 0);
    root.classList.remove("paper");
    paint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

  paint();
  show(0);
})();
