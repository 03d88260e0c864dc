// The page of sam2_ros: draws the newest picture, and turns clicks, boxes and buttons into requests.
"use strict";

const $ = (id) => document.getElementById(id);
const DRAG = { touch: 16, other: 6 }; // screen pixels from which a press is a box and not a click
const DOUBLE = 400; // ms within which a second press on the same place is none of its own
const SILENT = 3000; // ms without a picture after which the one that is shown is called old
const HINTS = {
  new: "Click something new, or drag a box around it. A click on an object selects it.",
  add: "Click what belongs to the selected object as well, or drag a box around it.",
  subtract: "Click what does not belong to the selected object.",
};
const CORRECTIONS = matchMedia("(pointer: coarse)").matches
  ? " Add and Subtract correct the selected one."
  : " Shift and click adds to it, a right click takes away.";
const LIFE = 8000; // ms in which the server says something, if it is only that it is there
const SURE = 3000; // ms in which a second press forgets all
const TAKEN_BACK = 15; // seconds in which the prompt that was made last on a camera can be taken back or meant otherwise
const TRAVEL = 0.3; // seconds in which newer images may come to the tracker before a request does

let socket = null;
let cameras = null; // names; null before the server has said
let camera = null;
let wanted = location.hash.slice(1); // the camera that was chosen last; names are letters, digits and _
let shown = null; // header of the picture that is drawn
let drawn = null; // that picture
let newest = 0; // time of the picture that came last: its stamp, in seconds
let keeps = Infinity; // seconds by that clock for which an image can be prompted on, as far as the tracker says
let selected = 0; // an object's id, 0 for none
let last = 0; // the object that was prompted last, 0 for none
const prompted = new Map(); // by object's id: times of the pictures of its prompts; 0 for all that were not made here
let mode = "new";
let paused = false;
let settled = 0; // from when on what the tracker says of that is newer than what was asked for here
let problem = ""; // of the camera, as the tracker sees it
let heard = 0; // when the server last said something
let pressed = null; // the event of the latest press
let press = null; // while its button is down: what it means
let asked = 0;
const answers = new Map(); // by number of the request: what to do with its answer
let pictures = []; // times of the latest ones

// --- the connection ---

function connect() {
  if (socket || document.hidden) return; // who does not look is to be sent nothing
  heard = performance.now();
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = (event) => {
    heard = performance.now();
    if (typeof event.data === "string") hear(JSON.parse(event.data));
    else see(event.data);
  };
  socket.onclose = lost;
}

function lost() {
  if (answers.size) complain("The connection was lost before the tracker answered; whether it did anything is not known.");
  socket = cameras = null;
  for (const { after } of answers.values()) after();
  answers.clear();
  describe();
  setTimeout(connect, 1000);
}

// A connection through which nothing comes any more is not always closed by itself.
function watch() {
  if (socket && performance.now() - heard > LIFE) {
    socket.onmessage = socket.onclose = null;
    socket.close();
    lost();
  }
  describe();
}

function say(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

// then: what to do with the answer, if it is no refusal; after: what to do whatever it is.
function ask(type, message, then = () => {}, after = () => {}) {
  if (socket?.readyState !== WebSocket.OPEN) {
    complain("The page is not connected; nothing was sent.");
    after();
    return;
  }
  asked += 1;
  // Another camera counts its own ids, so of an answer that comes after a switch nothing is done there; all pause alike.
  answers.set(asked, { then, after, of: type === "enable" ? null : camera });
  say({ type, number: asked, ...message });
  describe();
}

function hear(message) {
  if (message.type === "state") {
    const changed = JSON.stringify(cameras) !== JSON.stringify(message.cameras);
    ({ cameras, problem } = message);
    keeps = message.history ?? Infinity;
    // What is told of it is a second old, and is not told by every tracker.
    if (message.paused !== null && performance.now() > settled) paused = message.paused;
    if (changed) look([wanted, camera].find((name) => cameras.includes(name)) ?? cameras[0] ?? null);
    describe();
  } else if (message.type === "answer") {
    const { then, after, of } = answers.get(message.to) ?? {};
    answers.delete(message.to);
    $("message").hidden = true; // of a request before
    if (message.success && (of === null || of === camera)) then?.(message);
    if (message.message) complain(message.message);
    after?.();
    describe();
  }
}

function look(name) {
  if (camera !== name) {
    drawn?.close();
    shown = drawn = null;
    release();
    $("objects").replaceChildren(); // another camera counts its own ids
    prompted.clear();
    select(0);
  }
  if (name === null) paused = false; // as a tracker is that comes anew
  camera = name;
  if (name !== null) say({ type: "camera", camera: name });
  $("cameras").replaceChildren(
    ...(cameras.length > 1 ? cameras : []).map((one) => {
      const button = element("button", "", one);
      button.setAttribute("aria-pressed", one === camera);
      button.onclick = () => {
        wanted = one;
        history.replaceState(null, "", `#${one}`);
        look(one);
      };
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
  if (header.camera !== camera) return image.close();
  const now = performance.now();
  pictures = [...pictures, now].filter((time) => now - time < 2000);
  newest = header.time = header.stamp[0] + header.stamp[1] / 1e9;
  // While a button is down the picture stays, so that a box can fit what is seen; but not until it would be refused.
  if (press && kept(shown.time)) return image.close();
  drawn?.close(); // or browsers keep the pixels until they find time
  const canvas = $("picture");
  const resized = canvas.width !== image.width || canvas.height !== image.height;
  if (resized) Object.assign(canvas, { width: image.width, height: image.height });
  [shown, drawn] = [header, image];
  draw();
  if (resized || $("frame").hidden) {
    $("frame").hidden = false;
    fit();
  }
  list(header.objects);
  describe();
}

// --- what is seen ---

// Whether the tracker still has the image of a picture of that time when a request comes to it.
function kept(time, seconds = keeps) {
  return newest - time <= Math.max(0, seconds - TRAVEL);
}

// The picture, with a frame around what is selected.
function draw() {
  if (!drawn) return;
  const pen = $("picture").getContext("2d");
  pen.drawImage(drawn, 0, 0);
  const mask = shown.objects.find((one) => one.id === selected)?.mask;
  if (!mask) return;
  const width = Math.max(2, drawn.width / 320);
  const frame = [mask.x - 2 * width, mask.y - 2 * width, mask.columns * mask.step + 4 * width, mask.rows * mask.step + 4 * width];
  for (const [colour, dashes] of [["#000a", []], ["#fff", [4 * width, 3 * width]]]) {
    Object.assign(pen, { strokeStyle: colour, lineWidth: width });
    pen.setLineDash(dashes);
    pen.strokeRect(...frame);
  }
}

function status(tracker, silent) {
  if (!socket) return "the server is gone; trying again";
  if (!cameras) return "connecting";
  if (!tracker) return "no tracker";
  if (answers.size) return "asking the tracker";
  if (paused) return "paused";
  if (silent) return shown ? "no images" : "waiting for images";
  return "tracking";
}

// Only where it changes, since some have it read to them.
function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function describe() {
  const newest = pictures.at(-1) ?? -Infinity;
  const silent = performance.now() - newest > SILENT;
  const tracker = cameras?.length > 0;
  document.body.classList.toggle("stale", !socket || !tracker || silent);
  document.body.classList.toggle("asking", answers.size > 0);
  write("status", status(tracker, silent));
  const rate = pictures.length / 2;
  const size = `${$("picture").width} x ${$("picture").height}`;
  write("rate", silent || !tracker ? "" : `${rate.toFixed(rate < 3 ? 1 : 0)} images/s, ${size}`);
  write("problem", tracker ? problem : "");
  $("problem").hidden = !tracker || !problem;
  $("frame").hidden = shown === null;
  $("nothing").hidden = shown !== null;
  write("nothing", !socket
    ? "The page's server does not answer."
    : !cameras
      ? "Connecting to the page's server."
      : tracker
        ? "Waiting for the first image."
        : "No tracker is to be seen.\nIt may still be starting. If not: ros2 launch sam2_ros track.launch.py");
  describeLate();
  for (const button of $("modes").children) {
    button.setAttribute("aria-checked", button.dataset.mode === mode);
    button.disabled = button.dataset.mode !== "new" && !selected;
  }
  write("hint", HINTS[mode] + (mode === "new" && selected ? CORRECTIONS : ""));
  write("pause", paused ? "Go on" : "Pause");
}

// Whether the last prompt of the selected object can be taken back or meant otherwise.
function describeLate() {
  const times = prompted.get(selected) ?? [];
  const seconds = selected === last ? Math.max(keeps, TAKEN_BACK) : keeps;
  const late = !kept(times.at(-1) || newest, seconds);
  const reason = `Too late: there are ${seconds} s for that. Pause first to have more time.`;
  $("undo").disabled = !selected || (late && times.length > 1); // with an only one the object goes
  $("undo").title = selected && $("undo").disabled ? reason : "Take back the last prompt of the selected object (U)";
  write("meant", late ? reason : "What the click meant:");
  for (const button of $("readings").lastElementChild.children) button.disabled = late;
}

function fit() {
  const canvas = $("picture");
  const room = $("stage");
  const style = getComputedStyle(room);
  const width = room.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const narrow = matchMedia("(max-width: 760px) and (orientation: portrait)").matches;
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
  for (const [id, row] of rows) {
    if (objects.some((one) => one.id === id)) continue;
    row.remove();
    prompted.delete(id);
  }
  if (selected && !objects.some((one) => one.id === selected) && rows.has(selected)) select(0);
  for (const one of objects) {
    const row = rows.get(one.id) ?? makeRow(one);
    show(row);
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
  let label = "";
  name.onfocus = () => (label = name.value);
  name.onkeydown = (event) => {
    event.stopPropagation();
    if (event.isComposing) return; // Enter and Escape are the input method's
    if (event.key === "Escape") name.value = label;
    if (event.key === "Enter" || event.key === "Escape") name.blur();
  };
  const remove = element("button", "remove", "✕");
  remove.title = `Forget object ${one.id} (Delete)`;
  remove.setAttribute("aria-label", remove.title);
  remove.onclick = (event) => {
    event.stopPropagation();
    forget(one.id);
  };
  const state = element("span", "state");
  state.append(element("b"), element("span", "more"));
  const bar = element("span", "bar");
  bar.append(element("i"));
  bar.firstChild.style.background = one.colour;
  row.append(colour, name, remove, state, bar);
  row.onclick = () => pick(one.id === selected && document.activeElement !== name ? 0 : one.id);
  row.tabIndex = 0;
  row.onkeydown = (event) => {
    if (event.target !== row || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault(); // the space would scroll
    row.click();
  };
  $("objects").append(row);
  return row;
}

function select(id) {
  selected = id;
  if (!id) mode = "new";
  $("readings").hidden = true;
  for (const row of $("objects").children) show(row);
  draw();
  describe();
}

let picks = 0; // how often somebody has chosen what is selected
function pick(id) {
  picks += 1;
  select(id);
}

// Whether a row's object is selected.
function show(row) {
  const chosen = Number(row.dataset.id) === selected;
  row.classList.toggle("selected", chosen);
  row.setAttribute("aria-current", chosen);
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

// Screen pixels from which the latest press is a box.
function least() {
  return pressed.pointerType === "touch" ? DRAG.touch : DRAG.other;
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
  if (soon && distance(event) < least()) return;
  pressed = event;
  $("picture").setPointerCapture(event.pointerId);
  press = { means: meaning(event), drags: false };
}

function move(event) {
  if (!press) $("picture").classList.toggle("over", shown !== null && mode === "new" && under(place(event)) !== 0);
  if (!goesOn(event) || press.means === "subtract") return;
  press.drags ||= distance(event) > least();
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
  const { means } = press;
  const at = place(pressed);
  const on = under(at);
  const sides = [Math.abs(event.clientX - pressed.clientX), Math.abs(event.clientY - pressed.clientY)];
  // A slip of the hand is no box, which would be about as long and next to nothing wide.
  const drags = press.drags && (Math.min(...sides) >= 3 || Math.max(...sides) > 4 * least());
  release();
  if (means === "new" && on && !drags) {
    if (on === selected) complain(`That is object ${on} already. Drag a box to start another one on it.`);
    pick(on);
    return;
  }
  if (means !== "new" && !selected) {
    complain("Select an object first, in the list or by a click on something new.");
    return;
  }
  const { stamp, time } = shown;
  const prompt = { stamp, id: means === "new" ? 0 : selected };
  const before = picks;
  let done = () => {};
  if (drags) {
    const end = place(event);
    prompt.box = [Math.min(at[0], end[0]), Math.min(at[1], end[1]), Math.max(at[0], end[0]), Math.max(at[1], end[1])];
  } else {
    prompt.points = [[...at, means === "subtract" ? 0 : 1]];
    done = mark(pressed.clientX, pressed.clientY, means === "subtract");
  }
  ask("prompt", prompt, (answer) => {
    const earlier = prompt.id ? (prompted.get(prompt.id) ?? [0]) : [];
    prompted.set(answer.object_id, [...earlier, time]);
    last = answer.object_id;
    if (picks !== before) return; // something else has been chosen meanwhile
    select(answer.object_id);
    offer(answer.object_id, drags ? [] : answer.areas, 0);
  }, done);
}

function release() {
  press = null;
  $("box").hidden = true;
}

// A dot where a click was, until what it returns is called.
function mark(x, y, negative) {
  const dot = element("span", negative ? "mark negative" : "mark");
  const seen = $("picture").getBoundingClientRect();
  Object.assign(dot.style, { left: `${x - seen.left}px`, top: `${y - seen.top}px` });
  $("frame").append(dot);
  return () => {
    dot.onanimationend = () => dot.remove();
    dot.classList.add("done");
  };
}

// The readings of an ambiguous click, the smallest first; areas: of all, the best first; taken: the number of one. Of
// those that are about as large as a better one nothing new is to be had.
function offer(id, areas, taken) {
  const alike = (one, other) => Math.abs(areas[one] - areas[other]) < 0.1 * Math.max(areas[one], areas[other]);
  const ranks = areas.map((_, rank) => rank).filter((rank) => areas[rank] > 0);
  const better = (rank) => [taken, ...ranks.filter((other) => other < rank)];
  const offered = ranks.filter((rank) => rank === taken || !better(rank).some((other) => alike(rank, other)));
  offered.sort((one, other) => areas[one] - areas[other]);
  const names = offered.length > 2 ? ["small", "medium", "large"] : ["small", "large"];
  $("readings").lastElementChild.replaceChildren(
    ...offered.map((rank, place) => {
      const button = element("button", "", names[place]);
      button.setAttribute("aria-pressed", rank === taken);
      button.onclick = () => ask("prompt", { id, candidate: rank }, () => selected === id && offer(id, areas, rank));
      return button;
    }),
  );
  $("readings").hidden = offered.length < 2;
}

// --- buttons and keys ---

// Of an object that no picture has shown yet there is no row that would go, and with it the selection.
const forget = (id = selected) => id && ask("remove_object", { id }, () => selected === id && select(0));
const undo = () => {
  const id = selected;
  if (id && $("undo").disabled) complain($("undo").title);
  if ($("undo").disabled) return;
  $("readings").hidden = true;
  ask("undo", { id }, (answer) => {
    prompted.get(id)?.pop();
    if (last === id) last = 0; // what was prompted before it was not the last of all
    if (answer.removed && selected === id) select(0);
  });
};
const pause = () => {
  const on = paused;
  ask("enable", { data: on }, () => {
    [paused, settled] = [!on, performance.now() + 3000];
    describe();
  });
};
let sure = 0; // until when a press on it forgets all
function reset() {
  const now = performance.now();
  if (now < sure) ask("reset", {});
  sure = now < sure ? 0 : now + SURE;
  nameReset();
  setTimeout(nameReset, SURE + 50);
}
function nameReset() {
  write("reset", performance.now() < sure ? "Really all?" : "Forget all");
}
const keys = {
  n: () => choose("new"), a: () => choose("add"), s: () => choose("subtract"), u: undo, p: pause,
  delete: forget, backspace: forget, escape: () => (press ? release() : pick(0)),
};

$("picture").addEventListener("pointerdown", down);
$("picture").addEventListener("pointermove", move);
$("picture").addEventListener("pointerup", up);
$("picture").addEventListener("pointercancel", (event) => goesOn(event) && release());
$("picture").addEventListener("contextmenu", (event) => event.preventDefault());
$("undo").onclick = undo;
$("pause").onclick = pause;
$("reset").onclick = reset;
$("message").onclick = () => ($("message").hidden = true);
for (const button of $("modes").children) button.onclick = () => choose(button.dataset.mode);
document.addEventListener("keydown", (event) => {
  if (!event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat) keys[event.key.toLowerCase()]?.();
});
addEventListener("resize", () => shown && fit());
// A page that one may come back to is kept by the browser, with its connection.
addEventListener("pagehide", () => socket?.close());
document.addEventListener("visibilitychange", () => (document.hidden ? socket?.close() : connect()));
setInterval(watch, 1000);
connect();
describe();
