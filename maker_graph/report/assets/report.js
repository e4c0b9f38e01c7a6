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
  const SMOOTH = 16; // frames a second up to which a disk is seen to move
  const { places, put } = pegBoard(picture, disks);

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
    put(here.map((place, disk) => (part > 0 ? between(place, next[disk], part) : place)));
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
