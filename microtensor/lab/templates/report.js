"use strict";
(() => {
  const root = document.documentElement;
  const dark = () => {
    const chosen = root.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const players = [];

  // A still of a chart says little on a phone: tapped, it fills the screen and can be moved about.
  document.querySelectorAll(".drawing img").forEach((image) => {
    image.addEventListener("click", () => {
      const zoom = document.createElement("div");
      zoom.className = "zoom drawing";
      const large = image.cloneNode();
      large.removeAttribute("width");
      large.removeAttribute("height");
      zoom.append(large);
      zoom.addEventListener("click", () => zoom.remove());
      document.body.append(zoom);
    });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.querySelectorAll(".zoom").forEach((zoom) => zoom.remove());
  });
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    players.forEach((player) => player.draw());
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => players.forEach((player) => player.draw()));
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((one) => { one.open = true; });
    players.forEach((player) => { player.pause(); player.show(player.last); });
  });

  const DASHES = { "-": [], "--": [7, 4], ":": [2, 3], "-.": [8, 3, 2, 3] };

  class Player {
    constructor(element) {
      this.element = element;
      this.data = JSON.parse(element.querySelector("script").textContent);
      this.canvas = element.querySelector("canvas");
      this.scrub = element.querySelector(".scrub");
      this.output = element.querySelector("output");
      this.button = element.querySelector(".play");
      this.step = 0;
      this.timer = 0;
      this.last = this.prepare();
      this.scrub.max = this.last;
      this.button.addEventListener("click", () => (this.timer ? this.pause() : this.play()));
      element.querySelector(".back").addEventListener("click", () => this.move(-1));
      element.querySelector(".forward").addEventListener("click", () => this.move(1));
      this.scrub.addEventListener("input", () => { this.pause(); this.show(Number(this.scrub.value)); });
      new ResizeObserver(() => this.draw()).observe(this.canvas);
      this.show(this.first());
    }

    first() { return 0; }
    move(by) { this.pause(); this.show(this.step + by); }

    show(step) {
      this.step = Math.max(0, Math.min(this.last, step));
      this.scrub.value = Math.round(this.step);
      this.draw();
    }

    play() {
      if (this.step >= this.last) this.show(0);
      this.button.textContent = "❚❚ pause";
      this.button.setAttribute("aria-label", "pause");
      let before = performance.now();
      const pace = Math.max(4, this.last / 12);  // steps a second: the whole takes 12 seconds
      const tick = (now) => {
        this.show(this.step + ((now - before) / 1000) * pace);
        before = now;
        if (this.step >= this.last) this.pause();
        else this.timer = requestAnimationFrame(tick);
      };
      this.timer = requestAnimationFrame(tick);
    }

    pause() {
      cancelAnimationFrame(this.timer);
      this.timer = 0;
      this.step = this.settled();
      this.button.textContent = "▶ play";
      this.button.setAttribute("aria-label", "play");
    }

    settled() { return Math.round(this.step); }

    draw() {
      const width = this.canvas.clientWidth;
      if (!width) return;
      const height = Math.round(width * this.aspect());
      const scale = devicePixelRatio || 1;
      if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
        this.canvas.width = Math.round(width * scale);
        this.canvas.height = Math.round(height * scale);
        this.canvas.style.height = height + "px";
      }
      const brush = this.canvas.getContext("2d");
      brush.setTransform(scale, 0, 0, scale, 0, 0);
      brush.clearRect(0, 0, width, height);
      const style = getComputedStyle(root);
      this.paint(brush, width, height, {
        ink: style.getPropertyValue("--ink").trim(), quiet: style.getPropertyValue("--quiet").trim(),
        card: style.getPropertyValue("--card").trim(),
      }, dark());
    }
  }

  class Race extends Player {
    prepare() {
      this.hidden = new Set();
      this.ground = new Image();
      this.ground.addEventListener("load", () => this.draw());
      this.ground.src = this.data.ground;
      const legend = this.element.querySelector(".legend");
      this.values = this.data.lines.map((line, index) => {
        const chip = document.createElement("button");
        chip.type = "button";
        chip.setAttribute("aria-pressed", "true");
        chip.innerHTML = '<svg width="22" height="8" aria-hidden="true"><line x1="1" y1="4" x2="21" y2="4" stroke-width="3"></line></svg><span></span><span class="quiet"></span>';
        chip.querySelector("line").setAttribute("stroke-dasharray", (DASHES[line.dash] || []).join(" "));
        chip.children[1].textContent = line.label;
        chip.addEventListener("click", () => {
          if (!this.hidden.delete(index)) this.hidden.add(index);
          chip.setAttribute("aria-pressed", String(!this.hidden.has(index)));
          this.draw();
        });
        legend.append(chip);
        return chip;
      });
      return this.data.lines[0].points.length - 1;
    }

    aspect() { return 0.86; }

    paint(brush, width, height, colours, night) {
      const [left, right, bottom, top] = this.data.frame;
      const x = (one) => ((one - left) / (right - left)) * width;
      const y = (one) => ((top - one) / (top - bottom)) * height;
      if (this.ground.complete && this.ground.naturalWidth) brush.drawImage(this.ground, 0, 0, width, height);
      this.data.goals.forEach(([across, up]) => star(brush, x(across), y(up), 9, colours));
      const whole = Math.floor(this.step), part = this.step - whole;
      const at = (points, index) => points[Math.min(index, points.length - 1)];
      this.data.lines.forEach((line, index) => {
        const colour = night ? line.dark : line.colour;
        const chip = this.values[index];
        chip.querySelector("line").setAttribute("stroke", colour);
        const value = line.values[Math.round(this.step)];
        chip.children[2].textContent = value === null || value === undefined ? "lost" : value.toPrecision(3);
        if (this.hidden.has(index)) return;
        const here = at(line.points, whole), next = at(line.points, whole + 1);
        if (here[0] === null) return this.trail(brush, line, whole, null, x, y, colour);
        const head = next[0] === null ? here : [here[0] + part * (next[0] - here[0]), here[1] + part * (next[1] - here[1])];
        this.trail(brush, line, whole, head, x, y, colour);
      });
      this.output.textContent = `step ${Math.round(this.step)} / ${this.last}`;
    }

    trail(brush, line, whole, head, x, y, colour) {
      brush.strokeStyle = brush.fillStyle = colour;
      brush.lineWidth = 1.8;
      brush.lineJoin = "round";
      brush.setLineDash(DASHES[line.dash] || []);
      brush.beginPath();
      for (let index = 0; index <= whole; index += 1) {
        const point = line.points[index];
        if (!point || point[0] === null) break;
        brush.lineTo(x(point[0]), y(point[1]));
      }
      if (head) brush.lineTo(x(head[0]), y(head[1]));
      brush.stroke();
      brush.setLineDash([]);
      if (!head) return;
      brush.beginPath();
      brush.arc(x(head[0]), y(head[1]), 5, 0, 2 * Math.PI);
      brush.fill();
    }
  }

  // A sheet carried from stage to stage: between two stages every point goes straight.
  class Sheet extends Player {
    prepare() { return (this.data.stages.length - 1) * 24; }
    aspect() { return 0.86; }
    move(by) { this.pause(); this.show((Math.round(this.step / 24) + by) * 24); }
    settled() { return this.step; }

    paint(brush, width, height, colours, night) {
      const place = this.step / 24, from = Math.min(Math.floor(place), this.data.stages.length - 1);
      const to = Math.min(from + 1, this.data.stages.length - 1);
      const part = place - from, eased = part * part * (3 - 2 * part);
      const one = this.data.stages[from], other = this.data.stages[to];
      const between = (a, b) => [width * (0.5 + 0.46 * (a[0] + eased * (b[0] - a[0]))), height * (0.5 - 0.46 * (a[1] + eased * (b[1] - a[1])))];
      brush.lineWidth = 0.9;
      brush.strokeStyle = colours.quiet;
      brush.globalAlpha = 0.6;
      one.lines.forEach((line, index) => {
        brush.beginPath();
        line.forEach((point, at) => brush.lineTo(...between(point, other.lines[index][at])));
        brush.stroke();
      });
      brush.globalAlpha = 0.9;
      one.points.forEach((point, index) => {
        const [x, y] = between(point, other.points[index]);
        brush.fillStyle = (night ? this.data.dark : this.data.colours)[this.data.classes[index]];
        brush.beginPath();
        brush.arc(x, y, 2.6, 0, 2 * Math.PI);
        brush.fill();
      });
      brush.globalAlpha = 1;
      const named = part < 0.5 ? one.label : other.label;
      this.output.textContent = named.split(":")[0];
      brush.fillStyle = colours.ink;
      brush.font = "600 14px system-ui, sans-serif";
      brush.fillText(named, 8, 18);
    }
  }

  function star(brush, x, y, radius, colours) {
    brush.beginPath();
    for (let point = 0; point < 10; point += 1) {
      const reach = point % 2 ? radius * 0.45 : radius, angle = (Math.PI * point) / 5 - Math.PI / 2;
      brush.lineTo(x + reach * Math.cos(angle), y + reach * Math.sin(angle));
    }
    brush.closePath();
    brush.fillStyle = colours.card;
    brush.strokeStyle = colours.ink;
    brush.lineWidth = 1.2;
    brush.fill();
    brush.stroke();
  }

  const KINDS = { race: Race, sheet: Sheet };
  document.querySelectorAll(".player").forEach((element) => {
    const kind = JSON.parse(element.querySelector("script").textContent).kind;
    element.player = new KINDS[kind](element);
    players.push(element.player);
  });
})();
