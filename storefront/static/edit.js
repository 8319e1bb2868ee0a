// Previews the edited files by itself, half a second after the last key. Without it the button does.
const editor = document.getElementById("editor");
let timer;
let latest = 0;

async function preview() {
  const own = ++latest;
  const body = new URLSearchParams(new FormData(editor));
  const answer = await fetch(editor.action, { method: "POST", body });
  const text = await answer.text();
  if (!answer.ok || own !== latest) return;
  const made = new DOMParser().parseFromString(text, "text/html");
  document.getElementById("preview").replaceChildren(...made.getElementById("preview").childNodes);
}

editor.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(preview, 500);
});
