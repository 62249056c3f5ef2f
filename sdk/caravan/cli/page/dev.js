// Draws the form from the app's schema, streams one run, and follows every save.

const POLL_MS = 200;
const at = (id) => document.getElementById(id);
let about = null;
let action = null;
let running = null;

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

function control(name, schema, value) {
  const ui = schema["x-ui"];
  const id = `field-${name}`;
  const first = value ?? schema.default ?? schema.examples?.[0] ?? "";
  const shared = { id, name, dir: "auto" };
  switch (ui.widget) {
    case "textarea":
      return make("textarea", { ...shared, value: first, placeholder: ui.placeholder ?? "" });
    case "select": {
      const options = schema.enum.map((each) =>
        make("option", { value: each, textContent: each, selected: each === first }));
      return make("select", shared, ...options);
    }
    case "switch":
      return make("input", { ...shared, type: "checkbox", checked: first === true });
    case "slider":
    case "number":
      return make("input", {
        ...shared,
        type: ui.widget === "slider" ? "range" : "number",
        min: schema.minimum ?? "",
        max: schema.maximum ?? "",
        step: ui.step ?? (schema.type === "integer" ? 1 : "any"),
        value: first,
      });
    default:
      return make("input", { ...shared, value: first, placeholder: ui.placeholder ?? "" });
  }
}

function field(path, schema, values, isNeeded) {
  const ui = schema["x-ui"];
  if (ui.widget === "group") {
    const inner = Object.entries(schema.properties).flatMap(([name, each]) =>
      field(`${path}.${name}`, each, values, schema.required.includes(name)));
    return [make("fieldset", {}, make("legend", { textContent: ui.label }), ...inner)];
  }
  const input = control(path, schema, values[path]);
  if (isNeeded && ui.widget !== "switch") input.required = true;
  const label = make("label", { htmlFor: input.id, textContent: ui.label });
  const hint = schema.description ? [make("p", { className: "hint", textContent: schema.description })] : [];
  if (ui.widget !== "slider") return [label, ...hint, input];
  const shown = make("output", { textContent: ` ${input.value}` });
  input.addEventListener("input", () => { shown.textContent = ` ${input.value}`; });
  return [label, ...hint, input, shown];
}

function read(schema, prefix = "") {
  const values = {};
  for (const [name, each] of Object.entries(schema.properties)) {
    const path = prefix + name;
    if (each["x-ui"].widget === "group") { values[name] = read(each, `${path}.`); continue; }
    const input = at(`field-${path}`);
    if (each.type === "boolean") values[name] = input.checked;
    else if (input.value !== "" || schema.required.includes(name))
      values[name] = each.type === "string" ? input.value : Number(input.value);
  }
  return values;
}

function kept() {
  const values = {};
  for (const input of at("form").querySelectorAll("[name]"))
    values[input.name] = input.type === "checkbox" ? input.checked : input.value;
  return values;
}

function drawForm(values) {
  const found = about.actions.find((each) => each.name === action) ?? about.actions[0];
  action = found?.name ?? null;
  at("actions").replaceChildren(...(about.actions.length < 2 ? [] : about.actions.map((each) => {
    const button = make("button", { type: "button", textContent: each.title });
    if (each.name === action) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => { action = each.name; drawForm({}); });
    return button;
  })));
  if (!found) { at("form").replaceChildren("The app has no action yet."); return; }
  const fields = Object.entries(found.input_schema.properties).flatMap(([name, schema]) =>
    field(name, schema, values, found.input_schema.required.includes(name)));
  at("form").replaceChildren(
    make("p", { className: "hint", textContent: found.doc }), ...fields,
    make("button", { id: "go", textContent: found.title }));
}

async function reload() {
  const values = kept();
  const answer = await fetch("/about");
  about = await answer.json();
  document.title = `${about.name} · caravan dev`;
  at("name").textContent = about.name;
  at("summary").textContent = about.summary;
  at("icon").src = `/icon?${Date.now()}`;
  at("model").textContent = about.model;
  const isBroken = about.kind === "error";
  at("broken").hidden = !isBroken;
  at("form").hidden = isBroken;
  at("broken").textContent = isBroken ? about.traceback || about.message : "";
  if (!isBroken) drawForm(values);
}

function show(item) {
  const result = at("result");
  switch (item.kind) {
    case "text": result.append(item.text); break;
    case "json": result.append(make("pre", { textContent: JSON.stringify(item.value, null, 2) })); break;
    case "slot": result.append(make("div", { className: "slot", textContent: `Advertisement: ${item.name}` })); break;
    case "call": at("calls").append(make("li", { textContent: `${item.op} ${JSON.stringify(item.payload)}` })); break;
    case "error":
      result.append(make("p", { className: "problem", textContent: item.message }));
      if (item.traceback) result.append(make("pre", { textContent: item.traceback }));
      break;
  }
}

async function run(event) {
  event.preventDefault();
  if (running) { running.abort(); return; }
  running = new AbortController();
  const found = about.actions.find((each) => each.name === action);
  at("result").replaceChildren();
  at("calls").replaceChildren();
  at("go").textContent = "Stop";
  const started = performance.now();
  try {
    const answer = await fetch("/run", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ action, values: read(found.input_schema) }),
      signal: running.signal,
    });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      const lines = (rest + step.value).split("\n");
      rest = lines.pop();
      lines.filter(Boolean).forEach((line) => show(JSON.parse(line)));
    }
    at("state").textContent = `${((performance.now() - started) / 1000).toFixed(2)} s`;
  } catch (error) {
    at("state").textContent = error.name === "AbortError" ? "Stopped." : `The run broke off: ${error.message}`;
  } finally {
    running = null;
    if (at("go")) at("go").textContent = found.title;
  }
}

async function follow(seen) {
  let version = seen;
  try {
    version = await (await fetch("/version")).text();
    if (seen !== null && version !== seen && !running) await reload();
    at("state").classList.remove("problem");
  } catch {
    at("state").textContent = "caravan dev is not running.";
  }
  setTimeout(follow, POLL_MS, running ? seen : version);
}

at("form").addEventListener("submit", run);
await reload();
await follow(null);
