"use strict";
// The pegs of Hanoi, from frames that each hold the peg of every disk, disk 1 first.
(() => {
  const data = JSON.parse(document.getElementById("frames").textContent);
  const frames = data.pegs;
  const disks = frames[0].length;
  const last = frames.length - 1;
  const picture = document.getElementById("pegs");
  const play = document.getElementById("play");
  const slider = document.getElementById("at");
  const speed = document.getElementById("speed");
  const label = document.getElementById("where");
  const thickness = Math.min(18, 168 / disks);
  const floor = 214;
  const SMOOTH = 16; // frames a second up to which a disk is seen to move

  const draw = (name, settings, into = picture) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(settings)) element.setAttribute(key, value);
    into.append(element);
    return element;
  };

  const middle = (peg) => 125 + 235 * peg;
  const pole = Math.min(190, disks * thickness + 22);
  for (let peg = 0; peg < 3; peg += 1) {
    draw("rect", { x: middle(peg) - 3, y: floor - pole, width: 6, height: pole, rx: 3, fill: "var(--line)" });
    draw("text", { x: middle(peg), y: 240, "text-anchor": "middle", fill: "var(--muted)" }).textContent = `peg ${peg}`;
  }
  draw("rect", { x: 10, y: floor, width: 700, height: 5, rx: 2.5, fill: "var(--line)" });
  const shapes = Array.from(frames[0], (_, disk) => {
    const width = 34 + (disks > 1 ? (184 * disk) / (disks - 1) : 90);
    const hue = 205 + (130 * disk) / Math.max(1, disks - 1);
    return draw("rect", {
      x: -width / 2, y: 1, width, height: thickness - 2, rx: Math.min(6, (thickness - 2) / 2), fill: `hsl(${hue} 62% 58%)`,
    });
  });

  const places = (frame) => {
    const heights = [0, 0, 0];
    const result = new Array(disks);
    for (let disk = disks - 1; disk >= 0; disk -= 1) {
      const peg = Number(frame[disk]);
      heights[peg] += 1;
      result[disk] = [middle(peg), floor - heights[peg] * thickness];
    }
    return result;
  };

  const between = (from, to, part) => {
    if (from[0] === to[0]) return [from[0], from[1] + (to[1] - from[1]) * part];
    const top = 4;
    if (part < 0.3) return [from[0], from[1] + (top - from[1]) * (part / 0.3)];
    if (part > 0.7) return [to[0], top + (to[1] - top) * ((part - 0.7) / 0.3)];
    return [from[0] + (to[0] - from[0]) * ((part - 0.3) / 0.4), top];
  };

  let position = 0;
  let playing = false;
  let before = 0;

  const stepOf = (frame) => Math.min(frame * data.stride, data.last);

  const show = () => {
    const frame = Math.min(last, Math.floor(position));
    const here = places(frames[frame]);
    const next = frame < last ? places(frames[frame + 1]) : here;
    const smooth = playing && data.stride === 1 && Number(speed.value) <= SMOOTH;
    const part = smooth ? position - frame : 0;
    shapes.forEach((shape, disk) => {
      const [x, y] = part > 0 ? between(here[disk], next[disk], part) : here[disk];
      shape.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
    });
    slider.value = frame;
    label.textContent = `step ${stepOf(frame).toLocaleString("en")} of ${data.last.toLocaleString("en")}`;
  };

  const pause = () => {
    playing = false;
    play.textContent = "Play";
    position = Math.floor(position);
    show();
  };

  const tick = (now) => {
    if (!playing) return;
    position += (Math.min(Math.max(now - before, 0), 250) / 1000) * Number(speed.value); // a frame may be older than the click
    before = now;
    if (position >= last) {
      position = last;
      pause();
      return;
    }
    show();
    requestAnimationFrame(tick);
  };

  play.addEventListener("click", () => {
    if (playing) {
      pause();
      return;
    }
    if (position >= last) position = 0;
    playing = true;
    play.textContent = "Pause";
    before = performance.now();
    requestAnimationFrame(tick);
  });
  slider.addEventListener("input", () => {
    position = Number(slider.value);
    show();
  });

  slider.max = last;
  const choices = Array.from(speed.options, (option) => Number(option.value));
  speed.value = String(choices.find((rate) => last / rate <= 60) ?? choices[choices.length - 1]);
  show();
})();
