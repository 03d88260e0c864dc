// The page of sam2_ros: draws the newest picture, and turns clicks, boxes and buttons into requests.
"use strict";

const $ = (id) => document.getElementById(id);
const DRAG = 6; // screen pixels from which a press is a box and not a click
const DOUBLE = 400; // ms within which a second press on the same place is none of its own
const SILENT = 3000; // ms without a picture after which the one that is shown is called old
const HINTS = {
  new: "Click something new, or drag a box around it. A click on an object selects it.",
  add: "Click what belongs to the selected object as well, or drag a box around it.",
  subtract: "Click what does not belong to the selected object.",
};
const CORRECTIONS = " Shift and click adds to it, a right click takes away.";

let socket = null;
let cameras = null; // names; null before the server has said
let camera = null;
let shown = null; // header of the picture that is drawn
let selected = 0; // an object's id, 0 for none
let mode = "new";
let paused = false;
let pressed = null; // the event of the latest press
let press = null; // while its button is down: what it is said of
let asked = 0;
const answers = new Map(); // by number of the request: what to do with its answer
let pictures = []; // times of the latest ones

// --- the connection ---

function connect() {
  if (socket || document.hidden) return; // who does not look is to be sent nothing
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = (event) => (typeof event.data === "string" ? hear(JSON.parse(event.data)) : see(event.data));
  socket.onclose = () => {
    socket = cameras = null;
    answers.clear();
    describe();
    setTimeout(connect, 1000);
  };
}

function say(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function ask(type, message, then = () => {}) {
  asked += 1;
  answers.set(asked, then);
  say({ type, number: asked, ...message });
}

function hear(message) {
  if (message.type === "cameras") {
    cameras = message.cameras;
    look(cameras.includes(camera) ? camera : (cameras[0] ?? null));
  } else if (message.type === "answer") {
    const then = answers.get(message.to);
    answers.delete(message.to);
    if (message.success) then?.(message);
    if (message.message) complain(message.message);
  }
}

function look(name) {
  if (camera !== name) {
    shown = null;
    $("objects").replaceChildren(); // another camera counts its own ids
    select(0);
  }
  if (name === null) paused = false; // as a tracker is that comes anew
  camera = name;
  if (name !== null) say({ type: "camera", camera: name });
  $("cameras").replaceChildren(
    ...(cameras.length > 1 ? cameras : []).map((one) => {
      const button = element("button", "", one);
      button.setAttribute("aria-pressed", one === camera);
      button.onclick = () => look(one);
      return button;
    }),
  );
  describe();
}

async function see(data) {
  const length = new DataView(data).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  let image;
  try {
    image = await createImageBitmap(new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }));
  } catch (error) {
    complain(`A picture cannot be shown: ${error.message}`);
    return;
  } finally {
    say({ type: "shown" }); // or no other would be sent
  }
  // A picture under the pointer stays while a button is down: what is drawn there is said of it.
  if (header.camera !== camera || press) return;
  const canvas = $("picture");
  const resized = canvas.width !== image.width || canvas.height !== image.height;
  if (resized) Object.assign(canvas, { width: image.width, height: image.height });
  canvas.getContext("2d").drawImage(image, 0, 0);
  shown = header;
  const now = performance.now();
  pictures = [...pictures, now].filter((time) => now - time < 2000);
  if (resized || $("frame").hidden) {
    $("frame").hidden = false;
    fit();
  }
  list(header.objects);
  describe();
}

// --- what is seen ---

function status(tracker, silent) {
  if (!socket) return "the server is gone; trying again";
  if (!cameras) return "connecting";
  if (!tracker) return "no tracker";
  if (paused) return "paused";
  if (silent) return shown ? "no images" : "waiting for images";
  return `${(pictures.length / 2).toFixed(0)} images/s, ${$("picture").width} x ${$("picture").height}`;
}

function describe() {
  const newest = pictures.at(-1) ?? -Infinity;
  const silent = performance.now() - newest > SILENT;
  const tracker = cameras?.length > 0;
  document.body.classList.toggle("stale", !socket || !tracker || silent);
  $("status").textContent = status(tracker, silent);
  $("frame").hidden = shown === null;
  $("nothing").hidden = shown !== null;
  $("nothing").textContent = !socket
    ? "The page's server does not answer."
    : tracker
      ? "Waiting for the first image.\nThe node's log and /diagnostics say what it waits for."
      : "No tracker is to be seen.\nIt may still be starting. If not: ros2 launch sam2_ros track.launch.py";
  $("undo").disabled = !selected;
  for (const button of $("modes").children) {
    button.setAttribute("aria-checked", button.dataset.mode === mode);
    button.disabled = button.dataset.mode !== "new" && !selected;
  }
  $("hint").textContent = HINTS[mode] + (mode === "new" && selected ? CORRECTIONS : "");
  $("pause").textContent = paused ? "Go on" : "Pause";
}

function fit() {
  const canvas = $("picture");
  const room = $("stage");
  const style = getComputedStyle(room);
  const width = room.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const narrow = matchMedia("(max-width: 760px)").matches;
  const height = narrow ? innerHeight * 0.55 : room.clientHeight - parseFloat(style.paddingTop) * 2;
  const scale = Math.min(width / canvas.width, height / canvas.height);
  canvas.style.width = `${canvas.width * scale}px`;
  canvas.style.height = `${canvas.height * scale}px`;
}

function element(name, kind = "", text = "") {
  const made = document.createElement(name);
  made.className = kind;
  made.textContent = text;
  return made;
}

function list(objects) {
  const rows = new Map([...$("objects").children].map((row) => [Number(row.dataset.id), row]));
  for (const [id, row] of rows) if (!objects.some((one) => one.id === id)) row.remove();
  if (selected && !objects.some((one) => one.id === selected) && rows.has(selected)) select(0);
  for (const one of objects) {
    const row = rows.get(one.id) ?? makeRow(one);
    row.classList.toggle("selected", one.id === selected);
    row.classList.toggle("hidden", one.state !== "VISIBLE");
    const name = row.querySelector("input");
    if (document.activeElement !== name) name.value = one.label;
    row.querySelector("b").textContent = one.state.toLowerCase();
    row.querySelector(".more").textContent = more(one);
    row.querySelector("i").style.width = `${100 * one.visibility}%`;
    row.title = one.place ? `x ${one.place[0]} y ${one.place[1]} z ${one.place[2]} m, in the camera's frame` : one.no_place;
  }
}

function more(one) {
  if (one.state !== "VISIBLE") return ` for ${one.unseen < 10 ? one.unseen.toFixed(1) : one.unseen.toFixed(0)} s`;
  const distance = one.place ? `, ${Math.hypot(...one.place).toFixed(2)} m away` : "";
  return `, ${Math.round(100 * one.visibility)} % sure${distance}`;
}

function makeRow(one) {
  const row = element("li");
  row.dataset.id = one.id;
  const colour = element("span", "colour");
  colour.style.background = one.colour;
  const name = element("input");
  name.placeholder = `object ${one.id}`;
  name.setAttribute("aria-label", `Name of object ${one.id}`);
  name.onchange = () => name.value.trim() && ask("prompt", { id: one.id, label: name.value.trim() });
  name.onkeydown = (event) => {
    event.stopPropagation();
    if (event.key === "Enter" || event.key === "Escape") name.blur();
  };
  const remove = element("button", "remove", "✕");
  remove.title = `Forget object ${one.id} (Delete)`;
  remove.setAttribute("aria-label", remove.title);
  remove.onclick = (event) => {
    event.stopPropagation();
    ask("remove_object", { id: one.id });
  };
  const state = element("span", "state");
  state.append(element("b"), element("span", "more"));
  const bar = element("span", "bar");
  bar.append(element("i"));
  bar.firstChild.style.background = one.colour;
  row.append(colour, name, remove, state, bar);
  row.onclick = () => select(one.id === selected && document.activeElement !== name ? 0 : one.id);
  row.tabIndex = 0;
  row.onkeydown = (event) => event.key === "Enter" && event.target === row && row.click();
  $("objects").append(row);
  return row;
}

function select(id) {
  selected = id;
  if (!id) mode = "new";
  $("readings").hidden = true;
  for (const row of $("objects").children) row.classList.toggle("selected", Number(row.dataset.id) === id);
  describe();
}

function choose(next) {
  if (next === "new" || selected) mode = next;
  describe();
}

let quiet = 0;
function complain(sentence) {
  $("message").textContent = sentence;
  $("message").hidden = false;
  clearTimeout(quiet);
  quiet = setTimeout(() => ($("message").hidden = true), 8000);
}

// --- clicks and boxes ---

// Pixels of the image; the centre of its first one is 0, 0.
function place(event) {
  const canvas = $("picture");
  const seen = canvas.getBoundingClientRect();
  const along = (at, from, size, pixels) => Math.min(pixels - 1, Math.max(0, ((at - from) / size) * pixels - 0.5));
  return [
    along(event.clientX, seen.left, seen.width, canvas.width),
    along(event.clientY, seen.top, seen.height, canvas.height),
  ];
}

// The id of the object that has a pixel, the smallest one's if several have it; 0 for none.
function under([x, y]) {
  const found = shown.objects.filter((one) => one.mask && covers(one.mask, x, y));
  return found.sort((one, other) => one.area - other.area)[0]?.id ?? 0;
}

function covers(mask, x, y) {
  const column = Math.floor((x + 0.5 - mask.x) / mask.step);
  const row = Math.floor((y + 0.5 - mask.y) / mask.step);
  if (column < 0 || row < 0 || column >= mask.columns || row >= mask.rows) return false;
  const bit = row * mask.columns + column;
  return (atob(mask.bits).charCodeAt(bit >> 3) & (128 >> (bit & 7))) !== 0;
}

function meaning(event) {
  if (event.button === 2 || event.ctrlKey) return "subtract"; // a Mac's right click may be either
  return event.shiftKey ? "add" : mode;
}

// How far from where the latest press began, in pixels of the screen.
function distance(event) {
  return Math.hypot(event.clientX - pressed.clientX, event.clientY - pressed.clientY);
}

// Whether an event is of the press that goes on, and not of another finger.
function goesOn(event) {
  return press !== null && event.pointerId === pressed.pointerId;
}

function down(event) {
  if (event.button !== 0 && event.button !== 2) return;
  if (!shown || (press && !goesOn(event))) return;
  const soon = pressed?.button === event.button && event.timeStamp - pressed.timeStamp < DOUBLE;
  if (soon && distance(event) < DRAG) return;
  pressed = event;
  $("picture").setPointerCapture(event.pointerId);
  const at = place(event);
  press = { at, on: under(at), stamp: shown.stamp, means: meaning(event), drags: false };
}

function move(event) {
  if (!press) $("picture").classList.toggle("over", shown !== null && mode === "new" && under(place(event)) !== 0);
  if (!goesOn(event) || press.means === "subtract") return;
  press.drags ||= distance(event) > DRAG;
  if (!press.drags) return;
  const seen = $("picture").getBoundingClientRect();
  const [x0, x1] = [pressed.clientX, event.clientX].sort((a, b) => a - b).map((x) => Math.min(seen.right, Math.max(seen.left, x)));
  const [y0, y1] = [pressed.clientY, event.clientY].sort((a, b) => a - b).map((y) => Math.min(seen.bottom, Math.max(seen.top, y)));
  Object.assign($("box").style, {
    left: `${x0 - seen.left}px`, top: `${y0 - seen.top}px`, width: `${x1 - x0}px`, height: `${y1 - y0}px`,
  });
  $("box").hidden = false;
}

function up(event) {
  if (!goesOn(event)) return;
  const { at, on, stamp, means, drags } = press;
  release();
  if (means === "new" && on && !drags) {
    if (on !== selected) select(on);
    return;
  }
  if (means !== "new" && !selected) {
    complain("Select an object first, in the list or by a click on something new.");
    return;
  }
  const prompt = { stamp, id: means === "new" ? 0 : selected };
  if (drags) {
    const end = place(event);
    prompt.box = [Math.min(at[0], end[0]), Math.min(at[1], end[1]), Math.max(at[0], end[0]), Math.max(at[1], end[1])];
  } else {
    prompt.points = [[...at, means === "subtract" ? 0 : 1]];
    mark(pressed.clientX, pressed.clientY, means === "subtract");
  }
  ask("prompt", prompt, (answer) => {
    select(answer.object_id);
    offer(answer.object_id, drags ? [] : answer.areas);
  });
}

function release() {
  press = null;
  $("box").hidden = true;
}

function mark(x, y, negative) {
  const dot = element("span", negative ? "mark negative" : "mark");
  const seen = $("picture").getBoundingClientRect();
  Object.assign(dot.style, { left: `${x - seen.left}px`, top: `${y - seen.top}px` });
  dot.onanimationend = () => dot.remove();
  $("frame").append(dot);
}

// The other readings of an ambiguous click, by how large they are beside the one that was taken.
function offer(id, areas) {
  const others = areas.map((area, rank) => [area, rank]).slice(1).filter(([area]) => area > 0);
  const buttons = $("readings").lastElementChild;
  buttons.replaceChildren(
    ...others.map(([area, rank]) => {
      const times = area / Math.max(1, areas[0]);
      const button = element("button", "", times > 1 ? `${times.toFixed(1)} times as large` : `${Math.round(100 * times)} % of it`);
      button.onclick = () => ask("prompt", { id, candidate: rank });
      return button;
    }),
  );
  $("readings").hidden = others.length === 0;
}

// --- buttons and keys ---

const forget = () => selected && ask("remove_object", { id: selected });
const undo = () => selected && ask("undo", { id: selected }, (answer) => answer.removed && select(0));
const pause = () => ask("enable", { data: paused }, () => {
  paused = !paused;
  describe();
});
const keys = {
  n: () => choose("new"), a: () => choose("add"), s: () => choose("subtract"), u: undo, p: pause,
  Delete: forget, Backspace: forget, Escape: () => select(0),
};

$("picture").addEventListener("pointerdown", down);
$("picture").addEventListener("pointermove", move);
$("picture").addEventListener("pointerup", up);
$("picture").addEventListener("pointercancel", (event) => goesOn(event) && release());
$("picture").addEventListener("contextmenu", (event) => event.preventDefault());
$("undo").onclick = undo;
$("pause").onclick = pause;
$("reset").onclick = () => ask("reset", {});
$("message").onclick = () => ($("message").hidden = true);
for (const button of $("modes").children) button.onclick = () => choose(button.dataset.mode);
document.addEventListener("keydown", (event) => {
  if (!event.ctrlKey && !event.metaKey && !event.altKey) keys[event.key]?.();
});
addEventListener("resize", () => shown && fit());
// A page that one may come back to is kept by the browser, with its connection.
addEventListener("pagehide", () => socket?.close());
document.addEventListener("visibilitychange", () => (document.hidden ? socket?.close() : connect()));
setInterval(describe, 1000);
describe();
connect();
