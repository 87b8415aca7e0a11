"use strict";
// Trade boxes and the stops that stood, under the candles.
class Boxes {
  // state(): what is looked at (now), what of it (shown, crowded) and in which colors
  constructor(state) {
    this.state = state;
  }

  attached({ chart, series, requestUpdate }) {
    Object.assign(this, { chart, series, refresh: requestUpdate });
  }

  paneViews() {
    const draw = (target) => target.useMediaCoordinateSpace(({ context }) => this.paint(context));
    return [{ zOrder: () => "bottom", renderer: () => ({ draw }) }];
  }

  // What is far off the candles may not flatten them.
  autoscaleInfo(from, to) {
    const { now, shown, crowded } = this.state();
    if (!now) return null;
    let [low, high] = [Infinity, -Infinity];
    for (let i = Math.max(0, Math.floor(from)); i <= Math.min(now.n - 1, to); i++) {
      low = Math.min(low, now.low[i]);
      high = Math.max(high, now.high[i]);
    }
    if (low > high) return null;
    const room = (high - low) / 2;
    const inside = (price) => Math.min(high + room, Math.max(low - room, price));
    let [minValue, maxValue] = [low, high];
    const see = (price) => {
      minValue = Math.min(minValue, inside(price));
      maxValue = Math.max(maxValue, inside(price));
    };
    if (shown.stops && !crowded) for (const [a, b, level] of now.steps) if (a <= to && b >= from) see(level);
    return { priceRange: { minValue, maxValue } };
  }

  paint(c) {
    const { now, shown, crowded, colors } = this.state();
    const view = this.chart.timeScale().getVisibleLogicalRange();
    if (!now || !view || crowded) return;
    if (shown.trades) this.trades(c, view, now.rounds, colors);
    if (shown.stops) this.stops(c, view, now.steps, colors);
  }

  x(place) { return this.chart.timeScale().logicalToCoordinate(place); }
  y(price) { return this.series.priceToCoordinate(price); }

  trades(c, view, r, colors) {
    for (let i = 0; i < r.from.length; i++) {
      if (r.from[i] > view.to || r.to[i] < view.from) continue;
      const [x, y] = [this.x(r.from[i]), this.y(r.entry[i])];
      const [w, h] = [Math.max(2, this.x(r.to[i]) - x), this.y(r.exit[i]) - y];
      c.fillStyle = c.strokeStyle = r.result[i] > 0 ? colors.gain : colors.loss;
      c.globalAlpha = 0.16;
      c.fillRect(x, y, w, h);
      c.globalAlpha = 0.7;
      c.strokeRect(x, y, w, h);
      c.globalAlpha = 1;
    }
  }

  stops(c, view, steps, colors) {
    c.strokeStyle = colors.stop;
    c.lineWidth = 1.5;
    c.beginPath();
    let last = null;
    for (const [a, b, level] of steps) {
      if (a > view.to || b < view.from) { last = null; continue; }
      const y = this.y(level);
      if (last === a) c.lineTo(this.x(a), y); else c.moveTo(this.x(a), y);
      c.lineTo(this.x(b), y);
      last = b;
    }
    c.stroke();
  }
}
