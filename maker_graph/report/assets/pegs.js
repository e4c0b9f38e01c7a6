"use strict";
// Three pegs and their disks. A frame holds the peg of every disk, disk 1 first.
const pegBoard = (picture, disks) => {
  const thickness = Math.min(18, 168 / disks);
  const floor = 214;

  const draw = (name, settings) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(settings)) element.setAttribute(key, value);
    picture.append(element);
    return element;
  };

  const middle = (peg) => 125 + 235 * peg;
  const pole = Math.min(190, disks * thickness + 22);
  for (let peg = 0; peg < 3; peg += 1) {
    draw("rect", { x: middle(peg) - 3, y: floor - pole, width: 6, height: pole, rx: 3, fill: "var(--line)" });
    draw("text", { x: middle(peg), y: 240, "text-anchor": "middle", fill: "var(--muted)" }).textContent = `peg ${peg}`;
  }
  draw("rect", { x: 10, y: floor, width: 700, height: 5, rx: 2.5, fill: "var(--line)" });
  const shapes = Array.from({ length: disks }, (_, disk) => {
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

  const put = (points) =>
    shapes.forEach((shape, disk) => {
      const [x, y] = points[disk];
      shape.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
    });

  return { places, put };
};
