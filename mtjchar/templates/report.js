"use strict";
// Looks answers up in a table and marks the pulse in the figures; it computes no value that is shown.
(() => {
  const NS = "http://www.w3.org/2000/svg";
  const answers = JSON.parse(document.getElementById("answers").textContent);

  // Marks a pulse in a figure, whose `data-place` says where the axes lie and what they show.
  class Marker {
    static count = 0;

    constructor(svg, table) {
      this.table = table;
      this.place = JSON.parse(svg.dataset.place);
      this.svg = svg;
      const group = svg.appendChild(document.createElementNS(NS, "g"));
      group.setAttribute("class", "marker");
      const pair = (name) => ["under", "over"].map((layer) => {
        const element = group.appendChild(document.createElementNS(NS, name));
        element.setAttribute("class", layer);
        return element;
      });
      const [x, y, width, height] = this.place.box;
      const clip = group.appendChild(document.createElementNS(NS, "clipPath"));
      clip.id = `axes-${Marker.count++}`;
      set([clip.appendChild(document.createElementNS(NS, "rect"))], { x, y, width, height });
      this.curve = this.place.y[0] === "rate" ? pair("polyline") : [];
      set(this.curve, { "clip-path": `url(#${clip.id})` });
      this.upright = pair("line");
      this.level = pair("line");
      this.point = pair("circle");
    }

    // Values on the axes of the pulse at two places of the sliders.
    values(amplitude, duration) {
      const { amplitude_V, duration_s, log_rate } = this.table;
      const all = {
        amplitude: amplitude_V[amplitude],
        duration: 1e9 * duration_s[duration],
        rate: 10 ** log_rate[amplitude * duration_s.length + duration],
      };
      return [all[this.place.x[0]], all[this.place.y[0]]];
    }

    at(amplitude, duration) {
      const [left, top, width, height] = this.place.box;
      const [x, y] = this.values(amplitude, duration);
      return [
        left + width * share(this.place.x, x),
        top + height * (1 - share(this.place.y, y)),
      ];
    }

    show(amplitude, duration) {
      const [left, top, width, height] = this.place.box;
      const [x, y] = this.at(amplitude, duration);
      const inside = Math.min(y, top + height);  // an error rate can be below the axis
      set(this.upright, { x1: x, x2: x, y1: top, y2: top + height });
      set(this.level, { x1: left, x2: left + width, y1: inside, y2: inside });
      set(this.point, { cx: x, cy: inside, r: 4.5 });
      if (this.curve.length) {
        const along = this.place.x[0] === "duration"
          ? this.table.duration_s.map((_, k) => this.at(amplitude, k))
          : this.table.amplitude_V.map((_, k) => this.at(k, duration));
        set(this.curve, { points: along.map((point) => point.join(",")).join(" ") });
      }
    }
  }

  function set(elements, attributes) {
    for (const element of elements) {
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    }
  }

  // Where a value lies between the ends of an axis, 0 and 1.
  function share([, low, high, logarithmic], value) {
    const scaled = logarithmic ? Math.log : Number;
    return (scaled(value) - scaled(low)) / (scaled(high) - scaled(low));
  }

  // Words of a text, none of which is broken: 1e-06 would be, at its hyphen.
  function unbroken(text) {
    return text.split(/( +)/).map((part) => {
      const span = document.createElement("span");
      span.textContent = part;
      return part.trim() ? span : part;
    });
  }

  function nearest(points, x, y) {
    let best = 0;
    points.forEach(([u, v], k) => {
      if ((u - x) ** 2 + (v - y) ** 2 < (points[best][0] - x) ** 2 + (points[best][1] - y) ** 2) best = k;
    });
    return best;
  }

  for (const cell of document.querySelectorAll("td")) cell.replaceChildren(...unbroken(cell.textContent));

  for (const panel of document.querySelectorAll(".pulse")) {
    const table = answers[panel.dataset.direction];
    const [amplitude, duration] = panel.querySelectorAll("input");
    const [amplitudeWords, durationWords] = panel.querySelectorAll("output");
    const cells = panel.querySelectorAll(".answer dd");
    const remark = panel.querySelector(".remark");
    const command = panel.querySelector(".command code");
    const markers = [...document.querySelectorAll("[data-place]")]
      .filter((svg) => JSON.parse(svg.dataset.place).direction === panel.dataset.direction)
      .map((svg) => new Marker(svg, table));

    const show = () => {
      const [i, j] = [Number(amplitude.value), Number(duration.value)];
      const at = i * table.duration_s.length + j;
      for (const [input, output, words] of [
        [amplitude, amplitudeWords, table.amplitudes[i]], [duration, durationWords, table.durations[j]],
      ]) {
        output.textContent = words;
        input.setAttribute("aria-valuetext", words);
      }
      cells.forEach((cell, k) => cell.replaceChildren(...unbroken(table.rows[k][at])));
      remark.textContent = table.remarks[table.marks[at]];
      command.textContent = `mtjchar query DIR --direction ${panel.dataset.direction} ` +
        `--amplitude "${table.amplitude_V[i]} V" --duration "${table.duration_s[j]} s"`;
      for (const marker of markers) marker.show(i, j);
    };

    for (const marker of markers) {
      if (marker.curve.length) continue;
      marker.svg.dataset.clickable = "";
      marker.svg.addEventListener("click", (event) => {
        const { x, y } = new DOMPoint(event.clientX, event.clientY)
          .matrixTransform(marker.svg.getScreenCTM().inverse());
        const [i, j] = [Number(amplitude.value), Number(duration.value)];
        amplitude.value = nearest(table.amplitude_V.map((_, k) => [x, marker.at(k, j)[1]]), x, y);
        duration.value = nearest(table.duration_s.map((_, k) => [marker.at(i, k)[0], y]), x, y);
        show();
      });
    }
    for (const input of [amplitude, duration]) input.addEventListener("input", show);
    show();
  }
})();
